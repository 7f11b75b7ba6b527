"""What can be done about gradients that vanish or explode; each remedy is usable alone.

advice: what a finding says is to be done, one file a remedy, without torch.
clip: clip gradients by a fixed rule, or by one that reads the norm's history (public as `gr.Clip` and `gr.clip`).
guard: skip steps that would spoil the weights, and go back to a good snapshot (`gr.Guard`).
layers: drop-in recurrent layers with the remedies built in (`gr.nn`, `gr.swap`).
tbptt: truncated and exact backpropagation through time (`gr.tbptt`, `gr.bptt`, `gr.truncation_bias`).
init: initialisers for recurrent layers (`gr.init`).
omega: Pascanu's regularizer Ω (`gr.Omega`).
orthogonal: orthogonal recurrent weights for stock layers (`gr.orthogonal`).
polar: the nearest orthogonal matrix.
arguments: checks of numbers that clip, guard and tbptt share.
"""
