"""What nnU-Net needs to find the trainer of this package."""

from __future__ import annotations

import click


@click.command()
@click.option("--trainer-folder", is_flag=True, help="Print the folder for nnUNet_extTrainer, and nothing else.")
def nnunet(trainer_folder: bool) -> None:
    """Say how nnU-Net v2 trains with lesions that are put in on the fly."""
    from monai_consingan.nnunet import trainer_folder as folder

    if trainer_folder:
        click.echo(folder())
        return
    click.echo('pip install "monai-consingan[nnunet]"')
    click.echo("export nnUNet_extTrainer=$(monai-consingan nnunet --trainer-folder)")
    click.echo("nnUNetv2_train DATASET 3d_fullres FOLD -tr nnUNetTrainerLesions")
