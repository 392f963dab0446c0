"""The case `api`: how many public functions could tell one task from another (claim C9), read from gossamer.h."""
import os
import re

CASES = ('api',)
FUNCTION = re.compile(r'^([A-Za-z_][\w ]*?[ *]+)(gos_\w+)\(([^;{]*)\)\s*(?:__attribute__\(\(.*\)\))?;', re.M)
# A type of a task, and what other interfaces call asking, holding, joining, ending or labelling one.
TASK_TYPE = re.compile(r'gos_(task|thread|fiber|coroutine|id)\w*\s*\*?', re.I)
NAMES_ONE = re.compile(r'_(self|current|id|tid|join|detach|cancel|kill|key|local|specific|name)(_|$)')


def functions(text):
    """(result, name, parameters) of each function that the header declares."""
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    return FUNCTION.findall(re.sub(r'\n[ \t]+', ' ', text))


def names_task(result, name, parameters):
    starts = name == 'gos_go' and result.strip() != 'int'    # an error code, and nothing to hold
    return starts or bool(TASK_TYPE.search(result + ' ' + parameters) or NAMES_ONE.search(name))


def run(root, row):
    """The one row: offending functions out of all."""
    with open(os.path.join(root, 'runtime', 'include', 'gossamer.h'), encoding='utf-8') as file:
        found = functions(file.read())
    if not any(name == 'gos_go' for _, name, _ in found):
        return [dict(row, status='failed', why='gossamer.h declares no gos_go that this script can read')]
    bad = [name for result, name, parameters in found if names_task(result, name, parameters)]
    return [dict(row, value=len(bad), n=len(found), ops=len(found), why=', '.join(bad))]
