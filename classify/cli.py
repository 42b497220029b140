"""The command `classify`: each verb calls one library function and says what came of it."""

from cyclopts import App

from classify.commands.adapt import adapt
from classify.commands.evaluate import evaluate
from classify.commands.explain import explain
from classify.commands.predict import predict
from classify.commands.robustness import robustness
from classify.commands.train import train
from classify.console import configure, run

app = App(
    name="classify",
    help="Train and use classifiers of what floor and which element a frame shows.",
    version_flags=["--version"],
)
configure(app, "classify.toml", "CLASSIFY_")
for verb in (train, evaluate, robustness, predict, explain, adapt):
    app.command(verb)


def main() -> None:
    """Run the command line."""
    run(app)
