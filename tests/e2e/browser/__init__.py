"""The pages in a real browser, Debian's Chromium, over a real service: with and without JavaScript."""
