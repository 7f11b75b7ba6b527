"""What torch's own words mean where a forward pass or a loss raises them."""

from __future__ import annotations

import re

_MEANS = {
    r"index out of range in self": "An embedding was asked for an id that is below 0 or not below its number of rows: "
    "a padding of −1, ids that count from 1, or a vocabulary that is larger than the table",
    r"cannot be converted to type .*Half without overflow": "A number beyond ±65,504 was to be written in half "
    "precision, as −1e9 in a mask under autocast; torch.finfo(x.dtype).min fits every format",
    r"Target -?\d+ is out of bounds": "A class label is not among the outputs: the labels count from 1, one stands for "
    "padding and needs ignore_index, or the last layer is too narrow. Labels go from 0 to the number of outputs less 1",
    r"mat1 and mat2 shapes cannot be multiplied": "A linear layer was given rows of another length than it was made "
    "for: the second number in the first pair is what came, the first in the second what it takes in. Where that grew "
    "out of a flatten, an image or a sequence has another size than was reckoned with",
    r"must be equal to input_size": "A recurrent layer was given steps of another width than it was made for; the last "
    "axis of its input is what it takes in, and batch_first moves only the other two",
    r"(scalar type|dtype to be) Long": "A loss over classes takes labels as whole numbers: y.long(), of shape (rows,)",
    r"multi-target not supported": "A loss over classes takes one label a row: of one-hot rows y.argmax(1), of a "
    "column y.squeeze(1)",
    r"to match target batch_size": "Outputs and targets have different numbers of rows: one of the two was flattened "
    "or transposed in another way",
    r"more than 1 value per channel when training": "A batch norm has nothing to take a mean over in a batch of a "
    "single row, as the last one of an epoch may be: DataLoader(…, drop_last=True)",
    r"all elements of input should be between 0 and 1": "BCELoss takes probabilities: BCEWithLogitsLoss takes what a "
    "last linear layer puts out; a NaN in the output reads so as well",
    r"tensors to be on the same device": "Something stayed behind on another device: a tensor that forward makes anew, "
    "or one that is a plain attribute of a module. A buffer (register_buffer) moves with its module",
}


def meaning(error: str) -> str:
    """What an exception of torch means, in whole sentences without the last stop; empty for others."""
    return next((means for pattern, means in _MEANS.items() if re.search(pattern, error)), "")
