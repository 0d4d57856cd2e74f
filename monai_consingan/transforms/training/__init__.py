"""What a ConSinGAN is trained on: slices and crops of scans, and what is done to its input."""
