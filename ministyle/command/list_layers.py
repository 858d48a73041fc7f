"""`--list-layers`: the table of the network's layers, for one picture."""

from ..cost.memory import used_layers


def layer_table(job):
    """Return a table of the network's layers as text.

    For every layer it has the shape of the activations that the picture to be made has there, the side of the square of
    pixels that one activation sees, and whether a loss looks at the layer.

    Parameters
    ----------
    job : Job

    Raises
    ------
    MinistyleError
        The settings name a layer that the network does not have, or the weights cannot be read.
    """
    network, (height, width) = job.network, job.size
    content, style = (
        network.architecture.layer_names(names)
        for names in used_layers(job.settings, job.photograph is not None, bool(job.styles))
    )
    lines = [
        f"{network.architecture.name}, {network.weights.path}",
        f"a picture of {width} x {height} pixels",
        "",
        f"{'layer':9}{'H x W x N':>18}{'sees':>6}  matched",
    ]
    for layer in network.architecture.layers.values():
        rows, columns = layer.size(height, width)
        shape = f"{rows} x {columns} x {layer.channels}" if rows and columns else "picture too small"
        notes = [kind for kind, names in (("content", content), ("style", style)) if layer.name in names]
        if layer.kind == "convolution" and layer.name not in network.layers:
            notes.append("not in the weight file")
        lines.append(f"{layer.name:9}{shape:>18}{layer.receptive_field:6}  {', '.join(notes)}".rstrip())
    return "\n".join([*lines, "", "N filters; sees: side in pixels of the square that one activation depends on"])
