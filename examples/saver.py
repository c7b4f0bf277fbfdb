"""Keypoints, checkpoints and models, each with its JSON sidecar, in ./sav."""

from thexp_pl import Saver

saver = Saver("./sav", max_to_keep=3)

for i in range(10):
    saver.save_keypoint(i, {"a": i}, {"b": i})
    print([path.name for path in saver.find_keypoints()])

for i in range(10):
    saver.save_checkpoint(i, {"a": i}, {"b": i})
    print([path.name for path in saver.find_checkpoints()])

for i in range(10):
    saver.save_model(i, {"a": i}, {"b": i})
    print([path.name for path in saver.find_models()])

print(saver.load_checkpoint(9), saver.checkpoint_info(9))  # by epoch
print(saver.load_checkpoint(0, byindex=True))  # the oldest one kept
print(saver.load_state_dict(saver.find_keypoints()[-1]))  # the state and its info, by path
print(saver.load_latest_checkpoint())
