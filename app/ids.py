"""Ids of the page's components, one constant each; `assets/*.js` uses the same strings."""

# The frame around every page
URL = "url"
PAGE = "page"
LINKS = "links"
RUN = "run"
PROGRESS = "progress"
EVENT = "event"  # Store: the latest label event; whatever shows names listens to it
POLL = "poll"  # Interval: other annotators' events
VERDICT = "verdict"  # Store: what a person just decided, written by the keys
TOASTS = "toasts"
HELP = "help"
NAME_LIST = "name-list"  # Store: the names that exist, for completion

# What the pages with a gallery share
PLACE = "place"  # Store: run and cluster that the page shows
GALLERY = "gallery"
SELECTED = "selected"  # "3 selected"

QUEUE = "queue"
QUEUE_NAMES = "queue-names"  # pattern: one a row
QUEUE_PROGRESS = "queue-progress"

CLUSTER = "cluster"
CLUSTER_NAMES = "cluster-names"
ORDER = "cluster-order"
FLAGGED = "cluster-flags"  # which crops: all, or by the flags of their frames
LEAF = "cluster-leaf"  # which part of a large cluster

MAP = "map"
GRAPH = "map-graph"
CARD = "card"  # what hovers over a point
COLOUR = "map-colour"
SHAPE = "map-shape"  # Store: the lasso or box that was drawn
MAP_HEADING = "map-heading"

# Jobs, in the header
JOBS_BUTTON = "jobs-button"
JOBS_LIST = "jobs-list"
JOBS_POLL = "jobs-poll"  # Interval: fast only while something runs
JOBS_ASKED = "jobs-asked"  # Store: what a button of the page asks to start, or to stop
JOBS_CHANGED = "jobs-changed"  # Store: a job was started or stopped from this page
JOBS_SEEN = "jobs-seen"  # Store: the state of each job, and the crops there were at first
JOBS_NOTICE = "jobs-notice"  # new crops came

OVERVIEW_BY = "overview-by"  # what the crops of a class are counted by
OVERVIEW_GRAPH = "overview-graph"
OVERVIEW_STEPS = "overview-steps"
OVERVIEW_WELCOME = "overview-welcome"  # the steps of the first visit

SUBCATEGORIES_TABLE = "subcategories-table"
SUBCATEGORIES_CHOSEN = "subcategories-chosen"
SUBCATEGORIES_TO = "subcategories-to"  # the subcategory that a move or a merge goes to
SUBCATEGORIES_DO = "subcategories-do"  # Store: a button of the tree, pressed
SUBCATEGORIES_PACE = "subcategories-pace"
SUBCATEGORIES_HISTORY = "subcategories-history"
SUBCATEGORIES_EXPORTS = "subcategories-exports"

LABEL_NAMES = "label-names"
LABEL_HISTORY = "label-history"

# Bursts
BURSTS_PLACE = "bursts-place"  # Store: dive and run of the page
BURSTS_DIVE = "bursts-dive"
BURSTS_SHOW = "bursts-show"
BURSTS_LEAF = "bursts-leaf"  # which part of many stacks
BURSTS_LINE = "bursts-line"  # the time line
BURSTS_OPEN = "bursts-open"  # Store: the burst that is shown open
BURSTS_OPENED = "bursts-opened"  # where it is shown
BURSTS_CARDS = "bursts-cards"
BURSTS_FACTS = "bursts-facts"
BURSTS_VERDICT = "bursts-verdict"  # Store: what a person decided on a burst
BURSTS_ADDRESS = "bursts-address"
BURSTS_DRAWN = "bursts-drawn"
BURSTS_LEAKS = "bursts-leaks"
BURSTS_LOOK = "bursts-look"  # the button that looks for leaks

# Frame
FRAME_PLACE = "frame-place"  # Store: the frame that is shown
FRAME_LABELS = "frame-labels"  # pattern: the label of each crop
FRAME_LAYERS = "frame-layers"
FRAME_HEAT = "frame-heat"
FRAME_CLASS = "frame-class"
FRAME_DRAWN = "frame-drawn"


def items(page: str) -> str:
    """Return the id of the Store with the crops in a page's gallery."""
    return f"{page}-items"


def names(page: str) -> str:
    """Return the id of the Store with crop -> name and origin, of the crops in the gallery."""
    return f"{page}-names-shown"


def view(page: str) -> str:
    """Return the id of the switch between crop, mask, heat map and frame."""
    return f"{page}-view"


def drawn(page: str) -> str:
    """Return the id of the Store in which the browser notes that the gallery is drawn."""
    return f"{page}-drawn"


def address(page: str) -> str:
    """Return the id of the Store in which the browser notes the query of the address."""
    return f"{page}-address"
