"""How the gate shows itself: a line of progress, a page for people, a file for programs."""
import json
import os
import sys
import time

from perf_verdict import PASS

EVERY_S = 10    # between lines of progress where there is no terminal


class Progress:
    """say(text): the last line of a terminal; elsewhere a line now and then."""

    def __init__(self, stream=sys.stderr):
        self.stream, self.last = stream, -EVERY_S
        self.live = stream.isatty()

    def __call__(self, text):
        if self.live:
            self.stream.write(f'\r\033[K{text[:118]}')
        elif time.monotonic() - self.last >= EVERY_S:
            self.stream.write(text + '\n')
            self.last = time.monotonic()
        self.stream.flush()

    def done(self):
        if self.live:
            self.stream.write('\r\033[K')
            self.stream.flush()


def table(header, lines):
    """Columns as wide as they must be; the first is aligned to the left."""
    widths = [max(len(str(line[i])) for line in [header, *lines]) for i in range(len(header))]
    return [('  '.join(f'{cell:<{width}}' if i in (0, len(header) - 1) else f'{cell:>{width}}'
                       for i, (cell, width) in enumerate(zip(line, widths)))).rstrip()
            for line in [header, *lines]]


def nanoseconds(ns):
    return f'{ns:.3g} ns' if ns < 1000 else f'{ns / 1000:.3g} us'


def timed_lines(timed, exact):
    values = exact['values'] if exact else {}
    for name, row in timed['rows'].items():
        counts = [f'{values[key]:g}' if key in values else '-'
                  for key in (f'instructions/{name}', f'system_calls/{name}')]
        if 'error' in row:
            yield [name, '-', '-', '-', '-', *counts, row['verdict']]
        else:
            verdict = row['verdict'] if row['kind'] == 'single' else 'advice: ' + ('look' if row['why'] else 'fine')
            yield [name, nanoseconds(row['ns']), str(row['head']), f"{100 * row['aa'].change:+.1f} %",
                   f"{100 * row['slow'].change:+.1f} %", *counts, verdict]


def exact_lines(exact):
    judged = exact['judged'].items()
    within = sum(j.verdict == PASS and not j.why for _, j in judged)
    yield f'exact counts: {exact["verdict"]}' + (f': {exact["why"]}' if exact['why'] else '')
    if judged:
        yield f'  {within} of {len(judged)} within {os.path.relpath(exact["file"])}'
    yield from (f'  {metric}: {j.verdict}: {j.why}' for metric, j in judged if j.why)
    if exact['self_test']:
        yield f'  self-test: {exact["self_test"]}'


def page(result):
    """One page for a terminal."""
    head = result.get('head', 'this tree')
    lines = [f"perf-check: {head} against {result['base'] or 'no base'}, {result['compiler']}, "
             f"{result['launches']} launches x {result['rounds']} rounds, seed {result['seed']}"]
    timed, exact = result['timed'], result['exact']
    if timed and timed['rows']:
        lines += table(['row', 'base', 'head over base, 95 % interval', 'A/A', '+8 % seen as', 'instr.', 'calls', ''],
                       list(timed_lines(timed, exact)))
        lines += [f'  {name}: {row["why"]}' for name, row in timed['rows'].items() if row['why']]
        lines += ['anchors: ' + ', '.join(f'{name} {100 * anchor.change:+.1f} %'
                                          for name, anchor in timed['anchors'].items())]
        test = timed['self_test']
        lines += [f"times: {timed['verdict']}; self-test: A/A silent in {test['silent']} of {test['rows']} rows, a "
                  f"slowdown of {100 * test['injected']:.0f} % caught in {test['caught']} of {test['rows']}"]
    elif timed:
        lines += [f"times: {timed['verdict']}: {timed['why']}"]
    if exact:
        lines += exact_lines(exact)
    return '\n'.join([*lines, f"{result['verdict']} (exit status {result['exit']}) after {result['seconds']:.0f} s"])


def plain(value):
    """Named tuples as objects, so that the file says what a number is."""
    if hasattr(value, '_asdict'):
        return {key: plain(item) for key, item in value._asdict().items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def forget(path):
    """Makes room for a result, so that one of an earlier run is not taken for it when there will be none."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    if os.path.isfile(path):
        os.remove(path)


def save(result, path):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + '.part', 'w', encoding='utf-8') as file:
        json.dump(plain(result), file, indent=1)
        file.write('\n')
    os.replace(path + '.part', path)
