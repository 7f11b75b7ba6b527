"""Tasks that the theory is taught and tested with: each a dataset, a model, a loss, and a level at which it is learned.

`gradreach tasks` lists them, `gradreach tasks NAME` trains one and watches it.
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
