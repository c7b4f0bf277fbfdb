"""Parameters from the command line; a dotted name is a value in a group.

Try: python examples/params_command_line.py --epoch=400 --optim.lr=0.01
"""

from thexp_pl import Params

params = Params()
params.from_args()
print(params)
