"""What bench.py says about a launch in its line of progress."""
import statistics

import bench_blocking
import bench_counts
import bench_peers
import bench_server
import bench_stacks
import bench_trace


def told(rows):
    """The summary; what it cannot make of the rows of a launch that went wrong ends no run."""
    try:
        return summary(rows)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return f'no summary ({type(error).__name__}: {error})'


def summary(rows):
    """What the progress line says about a launch."""
    bad = [row for row in rows if row['status'] != 'ok']
    rows = [row for row in rows if row['value'] is not None]
    values = {}
    for row in rows:
        values.setdefault((row['contender'], row['variant'], row['metric']), []).append(row['value'])
    text = bench_blocking.summary(rows) or bench_counts.summary(rows) or bench_trace.summary(rows) or ''
    made = (rows or bad)[0]['units_made'] if rows or bad else 0
    if text:
        pass
    elif rows and rows[0]['case'] == 'memory' and made:
        per_unit = sum(v[0] for k, v in values.items() if k[2] in ('rss_bytes', 'pte_bytes', 'kernel_stack_bytes'))
        text = f'{per_unit / made:,.0f} B/unit'
    elif rows and rows[0]['case'] == 'timers':
        text = bench_peers.summary(rows)
    elif rows and rows[0]['case'] == 'server':
        text = bench_server.summary(rows)
    elif rows and rows[0]['case'] in ('depth', 'burst') and made:
        text = bench_stacks.summary(rows)
    elif values:
        several = len({key[0] for key in values}) > 1
        text = ', '.join(f'{key[0] + " " if several else ""}{key[1]} {statistics.median(v):.3g}'.strip()
                         for key, v in list(values.items())[:8])
        text += ' instructions' if 'instructions_per_call' in next(iter(values))[2] else ' ns'
    if bad:
        what = {'stopped': f"stopped at {made}", 'not-run': 'not run', 'failed': 'FAILED'}[bad[0]['status']]
        text += f"{'; ' if text else ''}{what}: {bad[0]['why']}"
    return text or 'no rows'
