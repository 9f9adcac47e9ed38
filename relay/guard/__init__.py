"""The guard: what a message may not carry, and what becomes of it.

Pure: no I/O, no clock, no randomness. `Guard(...).screen(memory, sender, text, now_ms)` judges a
message before it is stored; `Memory.feed` takes in what is delivered.
"""

from .guard import Explanation as Explanation
from .guard import Finding as Finding
from .guard import Guard as Guard
from .guard import Hit as Hit
from .guard import TooLong as TooLong
from .guard import Verdict as Verdict
from .masks import CONTACT_MASK as CONTACT_MASK
from .masks import MASK as MASK
from .normalise import MAX_CHARS as MAX_CHARS
from .notices import NOTICES as NOTICES
from .notices import notice_text as notice_text
from .policy import DEFAULT_POLICY as DEFAULT_POLICY
from .policy import Action as Action
from .policy import FindingClass as FindingClass
from .policy import Policy as Policy
from .window import WINDOW_MS as WINDOW_MS
from .window import Entry as Entry
from .window import Memory as Memory
from .window import Trace as Trace
