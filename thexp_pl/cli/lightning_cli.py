"""`ThexpCLI`: LightningCLI with Params as flags, the facade as a subject, and a recorded run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from inspect import signature
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]  # no explicit export
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, _InstantiatorFn
from pytorch_lightning.utilities.exceptions import SIGTERMException

from thexp_pl.cli import params_group
from thexp_pl.cli.facade_commands import check_trainer_options, run_facade
from thexp_pl.cli.given import given_as, given_by
from thexp_pl.cli.messages import Messages
from thexp_pl.cli.module_options import KeepParams, add_recording, follow_params
from thexp_pl.cli.params_given import GivenParams
from thexp_pl.cli.parser import RESERVED, RESERVED_FOR_MODULES, Parser, parser_options
from thexp_pl.cli.rank_zero import is_recorded_here, report, say, warn
from thexp_pl.cli.refusals import failed_in_one_line, refuse_redacted, refused_in_one_line
from thexp_pl.cli.report import report_errors, save_config
from thexp_pl.cli.seeding import Seed
from thexp_pl.cli.subject import Subject, choose_subject, explain_checkpoint, loading
from thexp_pl.errors import TrainerError, UsageError
from thexp_pl.loggers import RunLogger, find_run_logger
from thexp_pl.record import Experiment
from thexp_pl.trainer import Trainer
from thexp_pl.trainer.asked.options import listed
from thexp_pl.trainer.quiet import quiet_lightning

__all__ = ["ThexpCLI"]


class ThexpCLI(LightningCLI):
    """A LightningCLI whose runs are recorded, and which trains facade Trainers too.

    With a `thexp_pl.Trainer` subclass the flags of its Params stand beside Lightning's
    ``--trainer.*``; a LightningModule that takes ``params: Params`` gets the same flags. Whatever
    is trained leaves a run below ``--exps_dir``, with its configuration as ``config.yaml``. A
    mistake in the command ends the process with one line on stderr and code 2; ``THEXP_DEBUG=1``
    shows where it came from.

    With ``run=False`` nothing is run: with a module, `trainer`, `model` and `datamodule` are ready
    for ``cli.trainer.fit(cli.model)``; with a facade, `facade` for ``cli.facade.train()``.

    Args:
        model_class: The LightningModule, as in LightningCLI; named by ``--model`` if None.
        datamodule_class: The LightningDataModule, likewise by ``--data``.
        trainer_class: A `thexp_pl.Trainer` subclass, or what LightningCLI takes; a facade is named
            by ``--trainer_class`` if this is None.
        args: The words to parse, by default those of the command line; or a dict or Namespace, the
            configuration itself.
        **kwargs: More of LightningCLI's arguments.
    """

    def __init__(
        self,
        model_class: Any = None,
        datamodule_class: Any = None,
        *,
        trainer_class: Any = None,
        args: list[str] | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        with report_errors(), quiet_lightning():
            words: Any = sys.argv[1:] if args is None else args
            is_typed = isinstance(words, (list, tuple))
            self.given = given_by(words) if is_typed else given_as(words)
            self.subject: Subject = choose_subject(self.given, model_class, trainer_class)
            self.facade: Trainer | None = None
            is_facade, params = self.subject.facade is not None, self.subject.params
            self._seed = Seed(self.given, self.subject)
            self._reserved = self._seed.reserved | (RESERVED if is_facade else RESERVED_FOR_MODULES)
            own = None if params is None else GivenParams(params, self.given, self._reserved)
            self._given_params = own
            self._parsers: list[Any] = []
            reserved = None if params is None else self._reserved
            self._messages = Messages(self.given, self._parsers, reserved)
            # a class, for jsonargparse makes more of its parsers by itself
            self._parser_class = type("Parser", (Parser,), {"explain": self._messages.one_line})
            kwargs.setdefault("auto_configure_optimizers", not is_facade)
            kwargs.setdefault("seed_everything_default", 0)
            # the run's own config.yaml takes its place: Lightning's would lie beside the runs
            kwargs.setdefault("save_config_callback", None)
            super().__init__(
                model_class,
                datamodule_class,
                trainer_class=pl.Trainer if is_facade or not trainer_class else trainer_class,
                parser_kwargs=parser_options(kwargs.pop("parser_kwargs", {})),
                args=None if is_typed else words,
                **kwargs,
            )

    # -- flags -----------------------------------------------------------------------------------

    def init_parser(self, **kwargs: Any) -> Any:
        """Make a parser of our class, which Lightning 2.5 cannot be told, and remember it."""
        kwargs.setdefault("dump_header", [f"pytorch_lightning=={version('pytorch_lightning')}"])
        parser: Any = self._parser_class(**kwargs)
        help_text = "A configuration file in YAML or JSON."
        parser.add_argument("-c", "--config", action=ActionConfigFile, help=help_text)
        parser.has_params = self.subject.params is not None
        self._parsers.append(parser)
        return parser

    def setup_parser(self, *args: Any, **kwargs: Any) -> None:
        """Make the parsers, and call each by the words that lead to it."""
        super().setup_parser(*args, **kwargs)
        for name, parser in getattr(self, "_subcommand_parsers", {}).items():
            parser.prog = f"{self.parser.prog} {name}"
            explain_checkpoint(parser, name)

    def add_core_arguments_to_parser(self, parser: Any) -> None:
        """Add Lightning's flags, those of the record, and those of the model or the Params."""
        if self.subject.facade is None:
            super().add_core_arguments_to_parser(parser)
        else:
            parser.add_lightning_class_args(self.trainer_class, "trainer")
            defaults = {k: v for k, v in self.trainer_defaults.items() if k != "callbacks"}
            parser.set_defaults({f"trainer.{name}": value for name, value in defaults.items()})
        params = self.subject.params
        if params is not None and self._given_params is not None:
            params_group.add_params(parser, params, self._given_params, self._reserved)
        run = parser.add_argument_group("What is run, and where it is recorded")
        if self.subject.is_named:
            help_text = "The facade Trainer: MODULE:CLASS or FILE.py:CLASS."
            run.add_argument("--trainer_class", type=str, help=help_text)
        help_text = "The folder for recorded runs."
        run.add_argument("--exps_dir", type=str, default="./experiment", help=help_text)
        run.add_argument("--exp_name", type=str, help="The experiment that the run belongs to.")
        self._seed.add(run)
        if params is not None:
            help_text = "Take unknown flags as new parameters."
            run.add_argument("--allow_new", action="store_true", help=help_text)
        skipped = {"save_dir", "name", "experiment"}
        skipped |= set() if self.subject.facade is None else {"log_graph"}
        parser.add_class_arguments(RunLogger, "record", skip=skipped, instantiate=False)
        parser.groups["record"].title = "What the record holds"
        parser.show_first(2 if params is None else 3)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse what was given, and report environment variables that are nearly flags."""
        for line in [*self._messages.unknown_variables(), *self.subject.warnings]:
            warn(line)
        if args is None:
            self.config = parser.parse_args(self.given.retyped())
        else:
            self.config = parser.parse_object(args)
        self._seed.settle(self.config.get(str(self.given.subcommand), self.config))
        self.subject.settle_checkpoint(self.config)

    def _parse_ckpt_path(self) -> None:
        if self.subject.facade is None:  # a facade's settings lie beneath the flags already
            with loading(self.subject.origin):
                super()._parse_ckpt_path()

    # -- from flags to objects -------------------------------------------------------------------

    def before_instantiate_classes(self) -> None:
        """Say what is trained, and set its Params from the flags."""
        refuse_redacted(self._chosen())
        if self.subject.note:
            say(self.subject.note)
        params = self.subject.params
        if params is None or self._given_params is None:
            return
        default_epoch = params.get("epoch")
        params_group.read_params(params, self._given_params, self._chosen())
        self._seed.put(self._chosen(), params)
        trainer = self._chosen("trainer")
        limit = trainer.get("max_epochs")
        if limit is not None and default_epoch is not None:
            epoch = self.given.find("epoch")
            is_flag = epoch is not None and (epoch.word is not None or epoch.is_variable)
            if is_flag or params["epoch"] not in (default_epoch, limit):
                raise UsageError("--epoch and --trainer.max_epochs are the same; give one of them")
            params["epoch"] = self._chosen()["epoch"] = limit
            trainer["max_epochs"] = None

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
        # jsonargparse hands the links over only where the signature names them; Lightning 2.5
        # does not take them
        instantiate: Any = _InstantiatorFn(cli=self, key="model")
        if "applied_instantiation_links" in signature(instantiate).parameters:
            kwargs["applied_instantiation_links"] = applied_instantiation_links
        return instantiate(class_type, *args, params=self.subject.params, **kwargs)

    def instantiate_classes(self) -> None:
        """Make the Lightning Trainer and the model; of a facade, its run as well."""
        with refused_in_one_line(ValueError, TypeError, RuntimeError, ImportError):
            if self.subject.facade is None:
                super().instantiate_classes()
            else:
                self.config_init = self.parser.instantiate_classes(self.config)
                self._make_facade(self.subject.facade)
        if self.facade is not None:
            self._begin(self.facade)
        experiment = self._experiment()
        if experiment is not None and is_recorded_here(experiment):
            parser = self._parser(self.subcommand)
            save_config(experiment, parser.dump(self._chosen(), skip_none=False))

    def _make_facade(self, facade: type[Trainer]) -> None:
        options = dict(self._get(self.config_init, "trainer"))
        keys = self._parser(self.subcommand).callback_keys
        more = [self._get(self.config_init, key) for key in keys]
        always = listed(self.trainer_defaults.get("callbacks"))
        options["callbacks"] = [*listed(options["callbacks"]), *more, *always]
        self.facade = facade(self.subject.params, **options)
        check_trainer_options(self.facade, options)

    def _begin(self, facade: Trainer) -> None:
        try:
            facade.initial_exp(self._chosen("exps_dir"), self._chosen("exp_name"), **self._record())
        except BaseException:
            with suppress(TrainerError):  # it had not come to a run
                report(facade.experiment)
            raise
        self.trainer, self.model = facade.lightning_trainer, facade.module
        self.datamodule = None

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[pl.Callback]) -> Any:
        """Add what records and saves, unless the configuration names its own."""
        name = self._chosen("exp_name") or type(self.model).__name__
        added = add_recording(config, self._chosen("exps_dir"), name, self._record())
        params = self.subject.params
        if params is not None:
            follow_params(config, params)
            added.append(KeepParams(params))
        trainer = super()._instantiate_trainer(config, [*added, *callbacks])
        logger = find_run_logger(trainer)
        recorded = self._seed.recorded(self._chosen()) if params is None else params.settings()
        if logger is not None and recorded:
            logger.log_hyperparams(recorded)
        return trainer

    # -- running ---------------------------------------------------------------------------------

    def _run_subcommand(self, subcommand: str) -> None:
        experiment = self._experiment()
        if experiment is None:
            super()._run_subcommand(subcommand)
            return
        try:
            with failed_in_one_line(experiment), refused_in_one_line(), experiment:
                if self.facade is None:
                    super()._run_subcommand(subcommand)
                else:
                    run_facade(self.facade, subcommand, self._chosen("ckpt_path"))
        except SystemExit as ending:
            if isinstance(ending, SIGTERMException):  # Lightning ends with 0, and after ^C with 1
                raise SystemExit(ending.code or 143) from None
            if isinstance(ending.__context__, KeyboardInterrupt):
                raise SystemExit(130) from None
            raise
        finally:
            report(experiment)

    def _experiment(self) -> Experiment | None:
        """Give the run's record; None on other ranks, or where the user wants none."""
        if self.facade is not None:
            return self.facade.experiment
        logger = find_run_logger(self.trainer)
        return logger.experiment if logger is not None and self.trainer.is_global_zero else None

    def _record(self) -> dict[str, Any]:
        """Give the options of the record.

        Raises:
            UsageError: They are none.
        """
        chosen = self._chosen("record")
        if not isinstance(chosen, Mapping) and not hasattr(chosen, "__dict__"):
            raise UsageError(f"record: {chosen!r} is no group; say --record.code=false and such")
        return {name: value for name, value in dict(chosen).items() if name[:2] != "__"}

    def _chosen(self, name: str | None = None) -> Any:
        """Give the subcommand's configuration, or one entry of it."""
        config = self.config.get(str(self.subcommand), self.config)
        return config if name is None else config[name]
