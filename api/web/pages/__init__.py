"""The pages: templates, styles, scripts and their data; everything is served from this host."""
