"""The pages: templates, styles and scripts, and what fills them; everything they need is served from here."""
