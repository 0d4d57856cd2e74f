"""Data sets, whatever the form in which their files lie: datalists, and folders of nnU-Net and BIDS."""
