"""Vega-Lite's JavaScript, for pages that need no network. Bundling takes
seconds: it is kept in the cache folder.
"""

from importlib.metadata import version

from inlier_boards.build.micropython import cache_folder
from inlier_trainer.files import write_atomic

SNIPPET = "window.vegaEmbed = vegaEmbed; window.vega = vega;"


def vega() -> str:
    """The script: it defines `vegaEmbed` and `vega`. Raises OSError."""
    import vl_convert

    path = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        bundle = vl_convert.javascript_bundle(SNIPPET).replace("</script", "<\\/script")
        # its many short names stay its own
        write_atomic(path, f"(() => {{{bundle}}})();\n".encode())
    return path.read_text(encoding="utf-8")
