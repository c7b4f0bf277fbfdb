"""One line that is redrawn in place, then the same values as whole lines."""

import time

from thexp_pl import Logger, Meter

logger = Logger()

meter = Meter()
meter.a = 3.13524635465
meter.b = "long text;" * 10

for _ in range(100):
    logger.inline(meter, prefix="examples")
    time.sleep(0.02)
logger.info(1, 2, 3, {4: 4}, prefix="examples")
logger.info(meter, prefix="examples")
