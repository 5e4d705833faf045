"""The console command: `sixfold COMMAND`. Each command's module is imported when it is called."""

import atexit
import gc
import sys
from importlib import import_module

import click

#: Command -> the module and function that is it.
COMMANDS = {
    "train": "training.cli:train",
    "leaderboard": "training.cli:leaderboard",
    "register": "registry.cli:register",
    "promote": "registry.cli:promote",
    "approve": "registry.cli:approve",
    "rollback": "registry.cli:rollback",
    "history": "registry.cli:history",
    "compare": "registry.versus:compare",
    "audit": "registry.cli:audit",
    "watch": "registry.watch:watch",
    "build": "serving.cli:build",
    "serve": "serving.cli:serve",
    "predict": "serving.predict:command",
    "deploy": "serving.deploy.cli:deploy",
    "undeploy": "serving.deploy.cli:undeploy",
    "status": "serving.deploy.cli:status",
    "drift": "serving.drift.cli:command",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from training.errors import nearest

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"expected a command, got {args[0]!r}; {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sixfold", message="sixfold %(version)s")
def main() -> None:
    """Six classic algorithms on a table: tuned, fairly compared, and kept in MLflow.

    Everything is written to MLflow: set MLFLOW_TRACKING_URI for a server, else an SQLite file
    and a folder here are used. See it with `mlflow ui`.
    """
    # An interpreter that holds MLflow looks for garbage for a second as it ends.
    atexit.register(gc.freeze)


if __name__ == "__main__":
    sys.exit(main(prog_name="sixfold"))
