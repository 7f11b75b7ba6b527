"""Nothing of ours fails in the script's call: every kind of tensor under every transform that torch offers.

kinds: what modules hand to each other
transforms: what a script does with its model beside training it
"""
