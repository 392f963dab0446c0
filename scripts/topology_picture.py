"""A picture of the machine from hwloc's XML, boxes within boxes, as lstopo draws it; needs no hwloc itself."""
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

NAMES = {'Machine': 'Machine', 'Package': 'Package', 'Die': 'Die', 'NUMANode': 'NUMA node', 'L3Cache': 'L3',
         'L2Cache': 'L2',
         'L1Cache': 'L1d', 'L1iCache': 'L1i', 'Core': 'Core', 'PU': 'CPU'}
GREYS = ('#ffffff', '#f4f4f4', '#e9e9e9', '#dedede', '#d3d3d3', '#c8c8c8', '#bdbdbd', '#b2b2b2')
TEXT, GAP, LEAST = 14, 6, 84    # height of a line, space between boxes, width of the smallest


class Box:
    """What is drawn of an object: its label and the boxes within it."""

    def __init__(self, item):
        self.label = label(item)
        self.boxes = [box for child in item.findall('object') for box in boxes(child)]
        self.width = max(LEAST, 7 * len(self.label) + 10, sum(box.width + GAP for box in self.boxes) + GAP)
        self.height = TEXT + GAP + max((box.height + GAP for box in self.boxes), default=0)

    def draw(self, x, y, depth=0):
        fill = GREYS[min(depth, len(GREYS) - 1)]
        yield f'<rect x="{x}" y="{y}" width="{self.width}" height="{self.height}" fill="{fill}" stroke="#333"/>'
        yield f'<text x="{x + 5}" y="{y + TEXT - 1}">{escape(self.label)}</text>'
        left = x + GAP
        for box in self.boxes:
            yield from box.draw(left, y + TEXT + GAP, depth + 1)
            left += box.width + GAP


def label(item):
    name = NAMES[item.get('type')]
    size = int(item.get('cache_size') or item.get('local_memory') or 0)
    for factor, unit in ((2 ** 30, 'GiB'), (2 ** 20, 'MiB'), (2 ** 10, 'KiB')):
        if size >= factor:
            return f'{name} {size / factor:.3g} {unit}'
    return f"{name} {item.get('os_index')}" if item.get('os_index') and name != 'Machine' else name


def boxes(item):
    """The object as a box; what has no place in the picture is replaced by what it holds."""
    if item.get('type') in NAMES:
        return [Box(item)]
    return [box for child in item.findall('object') for box in boxes(child)]


def picture(xml):
    """SVG of a topology; raises ElementTree.ParseError when that is no XML."""
    found = [box for item in ElementTree.fromstring(xml).findall('object') for box in boxes(item)]
    width = sum(box.width + GAP for box in found) + GAP
    height = max((box.height for box in found), default=0) + 2 * GAP
    parts, left = [], GAP
    for box in found:
        parts += box.draw(left, GAP)
        left += box.width + GAP
    return '\n'.join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-size="11" '
                      'font-family="DejaVu Sans, sans-serif">', *parts, '</svg>', ''])
