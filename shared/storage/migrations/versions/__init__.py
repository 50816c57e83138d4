"""One file per step, numbered; `pre_` adds before new code runs, `post_` removes what no running code uses."""
