"""Ids of the page's components, one constant each; `assets/*.js` uses the same strings."""

# The frame around every page
URL = "url"
PAGE = "page"
LINKS = "links"
RUN = "run"
PROGRESS = "progress"
EVENT = "event"  # Store: the latest label event; whatever shows names listens to it
POLL = "poll"  # Interval: other annotators' events
VERDICT_DONE = "verdict-done"  # Store: which verdict has its answer
VERDICT = "verdict"  # Store: what a person just decided, written by the keys
TOASTS = "toasts"
HELP = "help"
PIN = "pin"  # Store: the crop that is pinned, kept by the browser

# What the pages with a gallery share
PLACE = "place"  # Store: run and cluster that the page shows
GALLERY = "gallery"
SELECTED = "selected"  # "3 selected"

QUEUE = "queue"  # Store: the rows
QUEUE_BOX = "queue-rows"  # in which `clusters.js` draws them
QUEUE_DRAWN = "queue-drawn"
QUEUE_SORT = "queue-sort"
QUEUE_PROGRESS = "queue-progress"

CLUSTER = "cluster"
CLUSTER_NAMES = "cluster-names"
ORDER = "cluster-order"
FLAGGED = "cluster-flags"  # which crops: all, or by the flags of their frames
STATE = "cluster-state"  # which crops: all, undecided, ...
CLUSTER_FACTS = "cluster-facts"
PINNED = "pinned"  # where the pinned crop shows

GROW = "grow"
GROW_STATE = "grow-state"  # Store: the answers so far
GROW_ANSWER = "grow-answer"  # Store: the answer that a person gave last
GROW_HEADING = "grow-heading"

MAP = "map"
GRAPH = "map-graph"
CARD = "card"  # what hovers over a point
COLOUR = "map-colour"
SHAPE = "map-shape"  # Store: the lasso or box that was drawn, or the cluster that was clicked
RANGES = "map-ranges"  # Store: column -> least and most, from the histograms
WITHOUT = "map-without"  # Store: column and values that the legend hides
VIEWPORT = "map-viewport"  # Store: the part of the map that is in sight
PICTURES = "map-pictures"  # switch: thumbnails of exemplars
RINGED = "map-ringed"  # Store: whether rings are drawn; nothing before the map is
HOVERED = "map-hovered"
MAP_HEADING = "map-heading"
MAP_LEGEND = "map-legend"
MAP_NOTE = "map-note"
MAP_SEARCH = "map-search"
HISTOGRAM = "map-histogram"  # pattern: one a column

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
SUBCATEGORIES_NEW = "subcategories-new"  # a name to add
SUBCATEGORIES_CONFUSION = "subcategories-confusion"
SUBCATEGORIES_TO = "subcategories-to"  # the subcategory that a move or a merge goes to
SUBCATEGORIES_DO = "subcategories-do"  # Store: an edit that a cell of the tree asks for
SUBCATEGORIES_PACE = "subcategories-pace"
SUBCATEGORIES_HISTORY = "subcategories-history"
SUBCATEGORIES_EXPORTS = "subcategories-exports"

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


def view(page: str) -> str:
    """Return the id of the switch between crop, mask, heat map and frame."""
    return f"{page}-view"


def drawn(page: str) -> str:
    """Return the id of the Store in which the browser notes that the gallery is drawn."""
    return f"{page}-drawn"


def fresh(page: str) -> str:
    """Return the id of the Store in which the browser notes that the gallery shows an event."""
    return f"{page}-fresh"


def address(page: str) -> str:
    """Return the id of the Store in which the browser notes the query of the address."""
    return f"{page}-address"
