"""Tasks that the theory is taught and tested with: each a dataset, a model, a loss, and a level at which it is learned.

`gradreach tasks` lists them, `gradreach tasks NAME` trains one and watches it.

The tasks:
adding: the sum of two marked numbers
agreement: the number of a verb in a grammar's sentences
characters: the next character of a text
choices: the number of a verb in real sentences, and test sets read from files
copying: symbols that are said again after a delay
deep: digits as one vector, for a deep stack
digits: digits read pixel by pixel
echo: the symbol of some steps ago
memorisation: a pattern that is said again after a silence
music: the notes that sound next
order: which signs came, and in which order
scalar: one unit with two parameters
sensor: a long signal, made or from a file
words: the next word of a text

What they share:
task: what a task is
offers: the tasks by name, with the model and the settings that train on each
recipe: everything that a training is made of
training: training on a recipe, and testing
models: a recurrent layer with a readout, and a deep stack
layers: recurrent layers by name
text: texts, from a file or Python's manual
__main__: `gradreach tasks`
"""

from gradreach.tasks.adding import adding as adding
from gradreach.tasks.agreement import agreement as agreement
from gradreach.tasks.characters import characters as characters
from gradreach.tasks.choices import read_choices as read_choices
from gradreach.tasks.choices import verb_number as verb_number
from gradreach.tasks.copying import copying as copying
from gradreach.tasks.deep import deep as deep
from gradreach.tasks.digits import digits as digits
from gradreach.tasks.echo import echo as echo
from gradreach.tasks.memorisation import memorisation as memorisation
from gradreach.tasks.models import recurrent as recurrent
from gradreach.tasks.models import stack as stack
from gradreach.tasks.music import music as music
from gradreach.tasks.offers import OFFERS as OFFERS
from gradreach.tasks.offers import Offer as Offer
from gradreach.tasks.order import order as order
from gradreach.tasks.recipe import Recipe as Recipe
from gradreach.tasks.scalar import scalar as scalar
from gradreach.tasks.sensor import sensor as sensor
from gradreach.tasks.task import Batch as Batch
from gradreach.tasks.task import Task as Task
from gradreach.tasks.training import Training as Training
from gradreach.tasks.training import error as error
from gradreach.tasks.training import train as train
from gradreach.tasks.words import words as words
