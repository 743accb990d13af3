"""Parts of the parser of judge replies: literals, numbers, names, statements, doubts."""
