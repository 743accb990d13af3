"""Parts of the parser of judge replies: thinking, literals, numbers, names, statements, doubts."""
