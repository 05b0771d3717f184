"""How they say it: click commands, options, output, and the boundary that exits (home of click)."""
