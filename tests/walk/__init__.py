"""`sekisho try`: the main job, walked."""
