"""What several devices need beyond Lightning's own strategies."""

from thexp_pl.strategies.manual_ddp import ManualDDPStrategy

__all__ = ["ManualDDPStrategy"]
