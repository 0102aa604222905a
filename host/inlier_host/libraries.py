"""Libraries that some commands need, and the extra that brings each."""

from importlib.util import find_spec

from inlier_export.errors import BadInput

EXTRAS = {
    "dask": "fleet",
    "distributed": "fleet",
    "filelock": "fleet",
    "fsspec": "fleet",
    "polars": "fleet",
    "ai_edge_litert": "keras",
    "keras": "keras",
    "tensorflow": "keras",
    "mpremote": "boards",
    "serial": "boards",  # mpremote brings it
    "paho": "live",
    "prometheus_client": "live",
    "altair": "report",
    "jinja2": "report",
    "vl_convert": "report",
}


def require(*modules: str) -> None:
    """Raises BadInput for those that are missing: all in one sentence, before
    the work begins.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise BadInput(needed(*missing))


def needed(*modules: str) -> str:
    """What to do where they are missing."""
    extras = dict.fromkeys(EXTRAS.get(module.split(".")[0], "train") for module in modules)
    one = "it" if len(modules) == 1 else "them"
    return (
        f"this command needs {', '.join(modules)}: install {one} with "
        f"pip install 'inlier[{','.join(extras)}]'"
    )
