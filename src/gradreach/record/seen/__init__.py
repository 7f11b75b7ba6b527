"""The parts of a look: what each lens sees on one watched step, as frozen dataclasses.

Norms are 2-norms of gradients already divided by the loss scale. A figure that could not be measured is None, never 0.

recurrence: layers through time, how far back an input counts, and how a state goes from call to call.
depth: layers in the order in which they run.
data: what the script gives to the model: its size, its axes, its padding.
zero_gradient: gradients of exactly 0, and where they became so.
loss: what a loss compares, and what the model put out.
weights: weights beside one another, of one layer and of layers in a row.
half: what half precision takes from updates and from gradients.
loop: what the training's loop keeps, and what it does with the gradients.
subnormal: numbers below the smallest normal one, and what they cost.
"""
