"""Nicknames: two short words that a person can say and type, from a list that needs no network."""

from __future__ import annotations

import random
import re
from collections.abc import Container

_ADJECTIVES = (
    "able amber ample arctic autumn azure bold brave breezy bright brisk calm candid careful cheerful clear clever "
    "cobalt cosy crisp curious daring dapper deep dewy eager early earnest easy elder even fair famous fast fine firm "
    "fleet floral fluent fond frank free fresh frosty gentle gifted glad golden good grand green happy hardy hazel "
    "honest humble idle indigo inner ivory jaunty jolly keen kind large late lively loyal lucid lucky lunar mellow "
    "merry mild misty modest mossy neat nimble noble novel olive open patient plain plucky polar polite prime proud "
    "pure quick quiet rapid rare ready regal rosy round royal rustic sandy serene sharp silent silver simple sleek "
    "smart smooth snowy sober soft solar solid steady still sunny swift tall tame tidy tiny trusty upper urban valid "
    "vast velvet violet vivid warm wary western wild windy winter wise witty young zesty"
)
_NOUNS = (
    "acorn alder anchor apple arrow aspen badger bamboo basin beacon beaver beech birch bison bramble breeze bridge "
    "brook canyon castle cedar cherry cliff clover comet condor copper coral cove crane creek cricket daisy delta "
    "desert dolphin dove dragonfly dune eagle elm ember falcon fern finch fjord forest fox garden gecko geyser glacier "
    "grove gull harbour hare hawk hazel heath heron hill holly horizon ibis iris island ivy jasmine juniper kestrel "
    "kite lagoon lake lantern larch lark laurel leaf lemon lichen lily linden lion lizard lotus lynx magpie mango "
    "maple marten meadow meteor mint moon moose moss nectar nettle newt oak oasis ocean olive opal orchid osprey otter "
    "owl panda pebble pelican pine planet plover poplar poppy prairie puffin quail quartz rabbit raven reed reef ridge "
    "river robin rose saffron sage salmon seal shore sparrow spring spruce squirrel star stone stream summit sunrise "
    "swallow swan thicket thistle thrush tiger trout tulip tundra turtle valley violet walnut wave willow wolf wren yew"
)


ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RULE = "letters, digits, '.', '-', '_', '+', '@' and spaces, 100 at most, a letter or digit first; not 'last'"
_NICKNAME = re.compile(r"[^\W_][\w .+@-]{0,99}")


def is_nickname(text: str) -> bool:
    """Whether a working directory may be called that; see ``RULE``. An id is no nickname."""
    return bool(_NICKNAME.fullmatch(text)) and text != "last" and not ID.fullmatch(text)


def pick(taken: Container[str], randomness: random.Random) -> str:
    """A nickname that is not taken: adjective and noun, and a number when luck runs out."""
    adjectives, nouns = _ADJECTIVES.split(), _NOUNS.split()
    drawn = [f"{randomness.choice(adjectives)}-{randomness.choice(nouns)}" for _ in range(8)]
    return next((one for one in drawn if one not in taken), numbered(drawn[0], taken))


def numbered(nickname: str, taken: Container[str]) -> str:
    """The nickname itself when it is free, else with the first number that makes it so."""
    number = 1
    chosen = nickname
    while chosen in taken:
        number += 1
        chosen = f"{nickname}-{number}"
    return chosen
