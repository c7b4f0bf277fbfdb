"""DataBundler: several loaders as one, side by side or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Literal

from thexp_pl.data.course import Course, Place
from thexp_pl.data.members import Member, ending, in_turn, read_bundle, side_by_side
from thexp_pl.data.sharing import check_dealable, shares_itself
from thexp_pl.errors import UsageError, near_miss

__all__ = ["DataBundler"]

_END = object()  # no batch


class DataBundler:
    """Several loaders, iterated as one.

    In chain mode, the one it begins with, their batches come one loader after the other. In zip
    mode one batch of each comes at a time, as a tuple in the order in which they were added, until
    the shortest is through; a cycled loader begins again and does not count. The batches of a
    single loader come by themselves. A member may be a DataBundler. (From thexp.)

    Where several processes train, each gets its share of every loader that gives shares, such as
    an ExactDataLoader; see `shared_out` for the others. All get as many batches.

    >>> from thexp_pl.data import ExactDataLoader
    >>> few = ExactDataLoader(range(2), batch_size=2)
    >>> many = ExactDataLoader(range(10, 16), batch_size=2)
    >>> bundler = DataBundler().cycle(few, "labelled").add(many, "unlabelled").zip_mode()
    >>> [(x.tolist(), u.tolist()) for x, u in bundler]
    [([0, 1], [10, 11]), ([0, 1], [12, 13]), ([0, 1], [14, 15])]
    """

    batch_sampler = None  # Lightning asks for it where there is a sampler

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._mode: Literal["zip", "chain"] = "chain"
        self._course = Course()

    @staticmethod
    def create_zip_bundler(*loaders: Iterable[Any], **named: Iterable[Any]) -> DataBundler:
        """Bundle loaders side by side; those given by keyword have that name."""
        return _bundled(loaders, named).zip_mode()

    @staticmethod
    def create_chain_bundler(*loaders: Iterable[Any], **named: Iterable[Any]) -> DataBundler:
        """Bundle loaders one after the other; those given by keyword have that name."""
        return _bundled(loaders, named).chain_mode()

    def add(self, loader: Iterable[Any], name: str | None = None) -> DataBundler:
        """Add a loader.

        Args:
            loader: A DataLoader, a DataBundler or anything else to iterate; see `exact`.
            name: By default ``unnamed_0`` for the first, and so on.

        Returns:
            The bundler.

        Raises:
            UsageError: The name is taken, or the loader is nothing to iterate.
        """
        return self._append(loader, name, cycled=False)

    def cycle(self, loader: Iterable[Any], name: str | None = None) -> DataBundler:
        """Add a loader that begins again, in its next epoch, whenever it is through; see `add`."""
        return self._append(loader, name, cycled=True)

    def zip_mode(self) -> DataBundler:
        """Iterate side by side."""
        self._mode = "zip"
        return self

    def chain_mode(self) -> DataBundler:
        """Iterate one after the other."""
        self._mode = "chain"
        return self

    def __getitem__(self, name: str) -> Any:
        if name not in self._members:
            raise UsageError(f"no loader {name!r} in this bundler{near_miss(name, self._members)}")
        return self._members[name].loader

    def __len__(self) -> int:
        lengths = [member.length() for member in self._ending()]
        return min(lengths) if self._mode == "zip" else sum(lengths)

    def len_list(self) -> list[int]:
        """Give the number of batches of each loader, in the order in which they were added."""
        return [member.length() for member in self._members.values()]

    def len_dict(self) -> dict[str, int]:
        """Give the number of batches of each loader by its name."""
        return {name: member.length() for name, member in self._members.items()}

    def set_batch_size(self, batch_size: int) -> DataBundler:
        """Have all loaders make batches of this size, from the samples they stand at.

        Args:
            batch_size: Samples a batch.

        Returns:
            The bundler.

        Raises:
            UsageError: A member makes its own batches.
        """
        for member in self._members.values():
            member.resize(batch_size)
        return self

    def choice_batch(self) -> Any:
        """Give a first batch, as iterating would, from fresh copies: no loader moves on."""
        members = self._members.values() if self._mode == "zip" else self._ending()[:1]
        batches = [member.first_batch() for member in members]
        return batches[0] if len(batches) == 1 else tuple(batches)

    def mapped(self, change: Callable[[Any], Any]) -> DataBundler:
        """Make a bundler of the same shape whose loaders are changed by a function."""
        other = DataBundler()
        other._mode = self._mode
        for name, member in self._members.items():
            other._append(change(member.loader), name, member.cycled, member.dealt)
        return other

    def shared_out(self) -> DataBundler:
        """Have each process get its share of every loader, also of those that give no shares.

        These every process reads whole, and hands out one in as many batches as there are
        processes, so they must give the same batches everywhere; of the last batches some are
        handed out twice, or left out where the loader says ``drop_last``. A stream that shares
        itself out says so by an attribute ``shares_itself`` that is true, its own or its loader's;
        it must give all processes as many batches.

        Returns:
            The bundler.

        Raises:
            UsageError: A loader's order may be another in each process.
        """
        for name, member in self._members.items():
            if isinstance(member.loader, DataBundler):
                member.loader.shared_out()
            elif not shares_itself(member.loader):
                check_dealable(member.loader, name)
                member.deal()
        return self

    def leaves(self) -> Iterator[tuple[Any, bool]]:
        """Give every loader, of nested bundlers theirs, and whether all give shares of it."""
        for member in self._members.values():
            if isinstance(member.loader, DataBundler):
                yield from member.loader.leaves()
            else:
                yield member.loader, member.dealt or shares_itself(member.loader)

    def __iter__(self) -> Iterator[Any]:
        self._ending()  # refuses what cannot be iterated at once, not at the first batch
        return self._run()

    @property
    def sampler(self) -> DataBundler:
        """The bundler: Lightning tells a loader of the epoch through its `sampler`."""
        return self

    @property
    def inexact(self) -> str | None:
        """Why resuming in the middle of an epoch will not be exact, or None if it will."""
        reasons = ((name, member.inexact) for name, member in self._members.items())
        return next((f"{name}: {reason}" for name, reason in reasons if reason), None)

    def set_epoch(self, epoch: int) -> None:
        """Have the next iteration be this epoch; see `ExactDataLoader.set_epoch`."""
        self._course.set_epoch(epoch)

    def state_dict(self, ahead: int = 0) -> dict[str, Any]:
        """Give the place after the last batch handed out, or `ahead` batches before that.

        Returns:
            Plain values: ``epoch``, ``batches``, ``named``, ``mode``, ``length`` (batches of an
            epoch, or None), ``at`` (the loader in progress in chain mode) and ``members``, the
            states of the loaders by name; None for one that keeps none.

        Raises:
            UsageError: The place `ahead` batches back is not known any more.
        """
        return self.spelled(self.snapshot(ahead))

    def load_state_dict(self, state: Mapping[str, Any], *, anew: bool = False) -> None:
        """Have the next iteration go on there.

        Args:
            state: What `state_dict` gave, here or in another process.
            anew: Have it begin an epoch instead, as after an iteration that was dropped.

        Raises:
            CheckpointError: It is no such state, or that of another bundler.
        """
        place, members = read_bundle(state, self._members, self._mode, self._length())
        for name, member in self._members.items():
            if member.keeps_place and members[name] is not None:
                member.loader.load_state_dict(members[name], anew=anew)
        self._course.load(place, anew)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Have what is iterated meanwhile leave the iteration in progress where it stands."""
        with ExitStack() as kept:
            kept.enter_context(self._course.kept())
            for member in self._members.values():
                if member.keeps_place:
                    kept.enter_context(member.loader.kept())
            yield

    def snapshot(self, ahead: int = 0) -> Place:
        """Give the place as it is kept; `spelled` makes a state of it, at any later time."""
        place = self._course.at(ahead)
        at, snapshots = (0, None) if place.parts is None else place.parts
        return replace(place, parts=self._parts(at)) if snapshots is None else place

    def spelled(self, place: Place) -> dict[str, Any]:
        """Make a state of a place that `snapshot` gave."""
        at, snapshots = place.parts
        pairs = zip(self._members.items(), snapshots, strict=True)
        return {
            "epoch": place.epoch,
            "batches": place.batches,
            "named": place.named,
            "mode": self._mode,
            "length": self._length(),
            "at": at,
            "members": {name: member.spelled(snapshot) for (name, member), snapshot in pairs},
        }

    def _append(
        self, loader: Iterable[Any], name: str | None, cycled: bool, dealt: bool = False
    ) -> DataBundler:
        name = f"unnamed_{len(self._members)}" if name is None else name
        if name in self._members:
            raise UsageError(f"a loader {name!r} is in this bundler already; give another name")
        if not hasattr(loader, "__iter__"):
            raise UsageError(f"{loader!r} is nothing to iterate: add a loader or a bundler")
        self._members[name] = Member(name, loader, cycled, dealt)
        return self

    def _ending(self) -> list[Member]:
        return ending([*self._members.values()], self._mode)

    def _length(self) -> int | None:
        try:
            return len(self)
        except (TypeError, NotImplementedError, UsageError):
            return None

    def _parts(self, at: int) -> tuple[int, list[Any]]:
        return at, [member.snapshot() for member in self._members.values()]

    def _run(self) -> Iterator[Any]:
        number, here = self._course.begin()
        members, total = list(self._members.values()), self._length()
        at, batches = here.parts[0] if here.batches else 0, here.batches
        if batches == 0:
            for member in members:
                member.begin_epoch(here.epoch)
        stream = side_by_side(members) if self._mode == "zip" else in_turn(members, at)
        end = Place(here.epoch + 1)
        while batches != total and at < len(members):  # of no loader a batch more than of another
            at, batch = next(stream, (len(members), _END))
            if batch is _END:
                break
            batches += 1
            through = batches == total or at == len(members)
            place = end if through else Place(here.epoch, batches)
            self._course.advance(number, replace(place, parts=self._parts(0 if through else at)))
            yield batch
        self._course.complete(number, replace(end, parts=self._parts(0)))


def _bundled(loaders: Iterable[Any], named: Mapping[str, Any]) -> DataBundler:
    bundler = DataBundler()
    for loader in loaders:
        bundler.add(loader)
    for name, loader in named.items():
        bundler.add(loader, name)
    return bundler
