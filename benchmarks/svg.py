"""A plot of horizontal bars on a logarithmic scale, as SVG, without any library."""
import html
import math

WIDTH, LABELS, ROW, HEAD = 860, 420, 26, 46
OURS, THEIRS, MARK = "#2b6cb0", "#c05621", "#1a202c"


def bars(title, rows, unit="×"):
    """rows: (label, median, least, most, goal or None). A bar leaves 1 to the right where ours is better, to the left where not."""
    low = min([0.5] + [least for _, _, least, _, _ in rows if least > 0])
    high = max([2] + [max(most, goal or 0) for _, _, _, most, goal in rows])
    left, right = math.floor(math.log10(low) * 2) / 2, math.ceil(math.log10(high) * 2) / 2

    def x(value):
        return LABELS + (math.log10(max(value, 1e-9)) - left) / (right - left) * (WIDTH - LABELS - 70)

    height = HEAD + ROW * len(rows) + 10
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="sans-serif" font-size="12">', f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="10" y="20" font-size="15">{html.escape(title)}</text>']
    for power in range(math.ceil(left), math.floor(right) + 1):
        at = x(10**power)
        out.append(f'<line x1="{at:.1f}" y1="{HEAD - 8}" x2="{at:.1f}" y2="{height - 6}" stroke="#cbd5e0"/>')
        out.append(f'<text x="{at:.1f}" y="{HEAD - 12}" text-anchor="middle" fill="#4a5568">{10.0**power:g}{unit}</text>')
    for number, (label, median, least, most, goal) in enumerate(rows):
        top, middle = HEAD + ROW * number, HEAD + ROW * number + ROW // 2
        begin, end = sorted((x(1), x(median)))
        out.append(f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{html.escape(label)}</text>')
        out.append(f'<rect x="{begin:.1f}" y="{top + 5}" width="{max(1, end - begin):.1f}" height="{ROW - 10}" fill="{OURS if median >= 1 else THEIRS}"/>')
        out.append(f'<line x1="{x(least):.1f}" y1="{middle}" x2="{x(most):.1f}" y2="{middle}" stroke="{MARK}"/>')
        if goal:
            out.append(f'<line x1="{x(goal):.1f}" y1="{top + 2}" x2="{x(goal):.1f}" y2="{top + ROW - 2}" stroke="{MARK}" stroke-dasharray="3 2"/>')
        out.append(f'<text x="{max(x(median), x(most), x(1)) + 6:.1f}" y="{middle + 4}">{median:.3g}{unit}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"
