"""New lesions made of those of donors."""
