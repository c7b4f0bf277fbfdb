"""`ThexpCLI`: LightningCLI with Params as flags, the facade as a subject, and a recorded run."""

from __future__ import annotations

import sys
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, _InstantiatorFn

from thexp_pl import atomic
from thexp_pl.callbacks import MeterCallback, SaverCallback
from thexp_pl.cli import params_group
from thexp_pl.cli.facade_commands import run_facade
from thexp_pl.cli.messages import one_line, unknown_variables
from thexp_pl.cli.report import report_errors, report_run
from thexp_pl.cli.subject import SUBCOMMANDS, Subject, choose_subject
from thexp_pl.errors import UsageError
from thexp_pl.loggers import RunLogger, find_run_logger
from thexp_pl.params import BaseParams
from thexp_pl.params.values import Unread
from thexp_pl.record import Experiment
from thexp_pl.trainer import Trainer
from thexp_pl.trainer.devices import device_options
from thexp_pl.trainer.quiet import quiet_lightning

__all__ = ["ThexpCLI"]

# first parts of the flags that LightningCLI and ThexpCLI have, whatever is trained
RESERVED = frozenset(
    {
        *("help", "config", "print_config", "print_completion", "subcommand", "traceback"),
        *("seed_everything", "trainer", "model", "data", "optimizer", "lr_scheduler"),
        *("ckpt_path", "weights_only", "verbose", "return_predictions"),
        *("trainer_class", "exps_dir", "exp_name", "allow_new"),
    }
)


class _Parser(LightningArgumentParser):
    """A LightningArgumentParser that reports a mistake in one line and knows the Params."""

    params: BaseParams | None = None
    family: list[_Parser] = []  # the main parser and its subcommands'

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Print one line and end with code 2."""
        options = [
            option
            for parser in self.family
            for action in parser._actions
            for option in action.option_strings
        ]
        sys.stderr.write(f"error: {one_line(message, self.params, options)}\n")
        raise SystemExit(2) from ex

    def add_class_arguments(self, *args: Any, **kwargs: Any) -> Any:
        """Leave ``params`` out: it is made of the Params' own flags."""
        return super().add_class_arguments(*args, **self._without_params(kwargs))

    def add_subclass_arguments(self, *args: Any, **kwargs: Any) -> Any:
        """Leave ``params`` out: it is made of the Params' own flags."""
        return super().add_subclass_arguments(*args, **self._without_params(kwargs))

    def _without_params(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        skip = {"params"} if self.params is not None else set()
        return {**kwargs, "skip": {*kwargs.get("skip", ()), *skip}}


class ThexpCLI(LightningCLI):
    """A LightningCLI whose runs are recorded, and which trains facade Trainers too.

    With a `thexp_pl.Trainer` subclass the flags of its Params stand beside Lightning's
    ``--trainer.*``; a LightningModule that takes ``params: Params`` gets the same flags. Whatever
    is trained leaves a run below ``--exps_dir``, with its configuration as ``config.yaml``. A
    mistake in the command ends the process with one line on stderr and code 2; ``THEXP_DEBUG=1``
    shows where it came from.

    Args:
        model_class: The LightningModule, as in LightningCLI; named by ``--model`` if None.
        datamodule_class: The LightningDataModule, likewise by ``--data``.
        trainer_class: A `thexp_pl.Trainer` subclass, or what LightningCLI takes; a facade is named
            by ``--trainer_class`` if this is None.
        args: The words to parse; by default those of the command line.
        **kwargs: More of LightningCLI's arguments.
    """

    def __init__(
        self,
        model_class: Any = None,
        datamodule_class: Any = None,
        *,
        trainer_class: Any = None,
        args: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.words = list(sys.argv[1:] if args is None else args)
        with report_errors(), quiet_lightning():
            self.subject: Subject = choose_subject(self.words, model_class, trainer_class)
            is_facade = self.subject.facade is not None
            self.facade: Trainer | None = None
            self.new_names: list[str] = []
            self._parsers: list[LightningArgumentParser] = []
            if self.subject.params is not None:
                self.words = params_group.expand_switches(self.words, self.subject.params)
                if "--allow_new" in self.words:
                    self.new_names = params_group.new_names(
                        self.words, self.subject.params, RESERVED
                    )
            kwargs.setdefault("auto_configure_optimizers", not is_facade)
            kwargs.setdefault("seed_everything_default", 0)
            # the run's own config.yaml takes its place: Lightning's would lie beside the runs
            kwargs.setdefault("save_config_callback", None)
            super().__init__(
                model_class,
                datamodule_class,
                trainer_class=pl.Trainer if is_facade or not trainer_class else trainer_class,
                parser_class=_Parser,
                parser_kwargs=_parser_kwargs(kwargs.pop("parser_kwargs", {})),
                **kwargs,
            )

    # -- flags -----------------------------------------------------------------------------------

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add Lightning's flags, those of the model or the Params, and those of the record."""
        if self.subject.facade is None:
            super().add_core_arguments_to_parser(parser)
        else:
            parser.add_lightning_class_args(self.trainer_class, "trainer")
            defaults = {f"trainer.{key}": value for key, value in self.trainer_defaults.items()}
            parser.set_defaults(defaults)
        if self.subject.params is not None:
            params_group.add_params(parser, self.subject.params, self.new_names, RESERVED)
            parser.add_argument(
                "--allow_new", action="store_true", help="Take unknown flags as new parameters."
            )
        if self.model_class is None:
            parser.add_argument(
                "--trainer_class",
                type=str,
                help="The facade Trainer: MODULE:CLASS or FILE.py:CLASS.",
            )
        parser.add_argument(
            "--exps_dir", type=str, default="./experiment", help="The folder for recorded runs."
        )
        parser.add_argument("--exp_name", type=str, help="The experiment that the run belongs to.")

    def init_parser(self, **kwargs: Any) -> Any:
        """Make a parser, and tell it of the Params and of the others."""
        parser: Any = super().init_parser(**kwargs)
        parser.params, parser.family = self.subject.params, self._parsers
        self._parsers.append(parser)
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the words, and report environment variables that are nearly flags."""
        self.config = parser.parse_args(self.words)
        subcommand = self.config.get("subcommand")
        if subcommand:
            for line in unknown_variables(subcommand, self._subcommand_parsers[subcommand]):
                sys.stderr.write(f"warning: {line}\n")

    def _parse_ckpt_path(self) -> None:
        if self.subject.facade is None:  # a facade's settings lie beneath the flags already
            super()._parse_ckpt_path()

    # -- from flags to objects -------------------------------------------------------------------

    def before_instantiate_classes(self) -> None:
        """Say what is trained, and set its Params from the flags."""
        if self.subject.note:
            print(self.subject.note)  # noqa: T201 - what the command prints
        params = self.subject.params
        if params is None:
            return
        default_epoch = params.get("epoch")
        params_group.read_params(params, self._chosen(), self.new_names)
        limit = self._chosen("trainer").get("max_epochs")
        if limit is not None and default_epoch is not None:
            by_flag = any(word.partition("=")[0] == "--epoch" for word in self.words)
            if by_flag or params["epoch"] not in (default_epoch, limit):
                raise UsageError("--epoch and --trainer.max_epochs are the same; give one of them")
            params["epoch"] = limit

    def _add_instantiators(self) -> None:
        if self.subject.facade is not None:
            return
        super()._add_instantiators()
        if self.subject.params is not None:
            self.parser.add_instantiator(
                self._model_with_params,
                self._model_class,
                subclasses=self.subclass_mode_model,
                prepend=True,
            )

    def _model_with_params(
        self, class_type: Any, *args: Any, applied_instantiation_links: Any, **kwargs: Any
    ) -> Any:
        # jsonargparse hands the links over only where the signature names them
        return _InstantiatorFn(cli=self, key="model")(
            class_type,
            *args,
            applied_instantiation_links=applied_instantiation_links,
            params=self.subject.params,
            **kwargs,
        )

    def instantiate_classes(self) -> None:
        """Make the Lightning Trainer and the model; of a facade, its run as well."""
        if self.subject.facade is None:
            super().instantiate_classes()
            return
        self.config_init = self.parser.instantiate_classes(self.config)
        options = dict(self._get(self.config_init, "trainer"))
        self.facade = self.subject.facade(self.subject.params, **options)
        self.facade.initial_exp(self._chosen("exps_dir"), self._chosen("exp_name"))
        self.trainer, self.model = self.facade.lightning_trainer, self.facade.module
        self.datamodule = None

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[pl.Callback]) -> Any:
        """Add what records and saves, unless the configuration names its own."""
        chosen, wanted = self._chosen(), config.get("logger")
        loggers = wanted if isinstance(wanted, list) else [wanted] if wanted else []
        loggers = [one for one in loggers if one is not True]
        if wanted is not False and not any(isinstance(one, RunLogger) for one in loggers):
            name = chosen["exp_name"] or type(self.model).__name__
            loggers.append(RunLogger(chosen["exps_dir"], name))
        config["logger"] = loggers or wanted
        if self.subject.params is not None:
            _follow_params(config, self.subject.params)
        given = config.get("callbacks") or []
        given = given if isinstance(given, list) else [given]
        has_saver = any(isinstance(one, Checkpoint) for one in given)
        if config.get("enable_checkpointing") is not False and not has_saver:
            callbacks = [SaverCallback(), *callbacks]
        if not any(isinstance(one, MeterCallback) for one in given):
            callbacks = [MeterCallback(), *callbacks]
        trainer = super()._instantiate_trainer(config, callbacks)
        logger = find_run_logger(trainer)
        if logger is not None and self.subject.params is not None:
            logger.log_hyperparams(self.subject.params.settings())
        return trainer

    # -- running ---------------------------------------------------------------------------------

    def _run_subcommand(self, subcommand: str) -> None:
        experiment = self._experiment()
        if experiment is None:
            super()._run_subcommand(subcommand)
            return
        config = self._parser(subcommand).dump(self._chosen(), skip_none=False)
        atomic.write_text(experiment.paths.config, config)
        try:
            with experiment:
                if self.facade is None:
                    super()._run_subcommand(subcommand)
                else:
                    run_facade(self.facade, subcommand, self._chosen("ckpt_path"))
        finally:
            report_run(experiment)

    def _experiment(self) -> Experiment | None:
        """Give the run's record; None on other ranks, or where the user wants none."""
        logger = find_run_logger(self.trainer)
        return logger.experiment if logger is not None and self.trainer.is_global_zero else None

    def _chosen(self, name: str | None = None) -> Any:
        """Give the subcommand's configuration, or one entry of it."""
        config = self.config.get(str(self.subcommand), self.config)
        return config if name is None else config[name]


def _follow_params(config: dict[str, Any], params: BaseParams) -> None:
    """Set the Lightning Trainer's options that Params say as well: the epochs and the device."""
    if "epoch" in params:
        config["max_epochs"] = params["epoch"]
    if "device" in params and not isinstance(params.flat()["device"], Unread):
        wanted = device_options(params, config)
        config.update({name: wanted[name] for name in wanted if config[name] == "auto"})


def _parser_kwargs(given: dict[str, Any]) -> dict[str, Any]:
    """Let the parser and each subcommand's read the environment and know no abbreviations."""
    own = {"allow_abbrev": False, "default_env": True}
    return {
        **own,
        **given,
        **{name: {**own, **given.get(name, {})} for name in SUBCOMMANDS},
    }
