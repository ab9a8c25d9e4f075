// A guest of assembly alone declares nothing.
