"""This process's memory. Nothing here awaits, so each method is one atomic step on the loop; `now` is handed in."""
