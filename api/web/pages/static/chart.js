// Draws a chart from the table that stands below it, so that the two cannot differ; a bar leads where its cell leads.
// Bars are as long as binary numbers can say; what is written at them is the cell's own text.

const Chart = globalThis.Chart;
const FONT = "12px";
const MONTH = "2026-10";

const colour = (name, from = document.documentElement) => {
  // A custom property may be light-dark(...): ask an element that uses it what it comes to.
  const probe = document.createElement("span");
  probe.className = name;
  from.append(probe);
  const found = getComputedStyle(probe);
  const result = name.startsWith("swatch") ? found.backgroundColor : found.color;
  probe.remove();
  return result;
};

const read = (table) => {
  const heads = [...table.tHead.rows[0].querySelectorAll("th[data-series]")];
  const rows = [...table.tBodies[0].rows];
  const series = heads.map((head, number) => ({
    label: head.textContent.trim(),
    cells: rows.map((row) => row.cells[number + 1]),
    swatch: `swatch swatch-${head.dataset.series}`,
  }));
  return { steps: rows.map((row) => row.cells[0].textContent.trim()), series };
};

const number = (cell) => Number(cell.querySelector("data")?.value ?? 0);
const said = (cell) => cell.querySelector("data")?.textContent ?? "0";

// On a logarithmic scale nothing is stacked, and amounts below 0 go down as others go up: as far as the logarithm of 1 and their size,
// measured by the smallest power of ten that is drawn.
const logarithmic = (values) => {
  const sizes = values.map(Math.abs).filter((size) => size > 0);
  const least = 10 ** Math.floor(Math.log10(Math.min(...sizes, 1)));
  const place = (value) => Math.sign(value) * Math.log10(1 + Math.abs(value) / least);
  const most = Math.max(...sizes, 1);
  const powers = [];
  for (let power = least; power < most * 10; power *= 10) powers.push(power);
  const shown = powers.filter((_, number) => (powers.length - 1 - number) % Math.ceil(powers.length / 7) === 0);
  const down = values.some((value) => value < 0) ? shown.map((power) => -power) : [];
  const ticks = [...down, 0, ...shown].sort((one, other) => one - other);
  return { place, ticks: ticks.map((value) => ({ value: place(value), label: value.toLocaleString("en", { maximumFractionDigits: 8 }) })) };
};

const draw = (figure) => {
  const table = document.getElementById(figure.dataset.chart);
  const { steps, series } = read(table);
  if (series.length === 0) return;
  figure.hidden = false;
  const ink = colour("soft");
  const line = colour("line-colour");
  const canvas = figure.querySelector("canvas");
  const log = figure.dataset.scale === "log" ? logarithmic(series.flatMap(({ cells }) => cells.map(number))) : null;
  const lines = log && series.length > 1;
  Chart.getChart(canvas)?.destroy();
  const chart = new Chart(canvas, {
    type: lines ? "line" : "bar",
    data: {
      labels: steps.map((step) => (step.length > MONTH.length ? step.slice(5) : step)),
      datasets: series.map(({ label, cells, swatch }) => ({
        label,
        // Of lines on a logarithmic scale what is 0 interrupts them: else all of them would fall to the ground and rise again.
        data: cells.map(number).map((value) => (lines && value === 0 ? null : log ? log.place(value) : value)),
        backgroundColor: colour(swatch, figure),
        borderColor: lines ? colour(swatch, figure) : undefined,
        borderWidth: lines ? 2 : 0,
        pointRadius: 3,
        borderRadius: 1,
        maxBarThickness: 44,
        categoryPercentage: 0.86,
        barPercentage: 0.94,
      })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "nearest", intersect: true },
      scales: {
        x: { stacked: !log, grid: { display: false }, border: { color: line }, ticks: { color: ink, font: { size: 11 }, maxRotation: 0, autoSkipPadding: 12 } },
        y: {
          stacked: !log,
          grid: { color: line },
          border: { display: false },
          ticks: { color: ink, font: { size: 11 }, maxTicksLimit: 6, autoSkip: !log, ...(log ? { callback: (_value, place, ticks) => ticks[place].label } : {}) },
          ...(log ? { afterBuildTicks: (axis) => { axis.ticks = log.ticks.map((tick) => ({ ...tick })); } } : {}),
        },
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          backgroundColor: colour("tip-back"),
          titleColor: colour("tip-ink"),
          bodyColor: colour("tip-ink"),
          bodyFont: { family: getComputedStyle(document.body).fontFamily, size: parseInt(FONT, 10) },
          callbacks: {
            title: ([bar]) => steps[bar.dataIndex],
            label: ({ datasetIndex, dataIndex }) => ` ${series[datasetIndex].label}: ${said(series[datasetIndex].cells[dataIndex])}`,
          },
        },
      },
      onHover: (event, bars) => {
        const link = bars.length > 0 && series[bars[0].datasetIndex].cells[bars[0].index].querySelector("a");
        event.native.target.style.cursor = link ? "pointer" : "default";
      },
      onClick: (_event, bars) => {
        if (bars.length > 0) series[bars[0].datasetIndex].cells[bars[0].index].querySelector("a")?.click();
      },
    },
  });
  // Beside a small chart, or on a small screen, its table is for those who want the numbers.
  if (!figure.chart && (figure.matches(".small") || matchMedia("(max-width: 40rem)").matches)) table.closest("details").open = false;
  // What a bar is drawn at, for whoever drives a browser: nothing on the page depends on it.
  figure.chart = chart;
};

const drawAll = () => {
  for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
};

const drawNew = () => {
  for (const figure of document.querySelectorAll("[data-chart]")) if (!figure.chart) draw(figure);
};

if (Chart) {
  drawAll();
  document.addEventListener("theme", drawAll);
  document.addEventListener("fragment", drawNew);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}
