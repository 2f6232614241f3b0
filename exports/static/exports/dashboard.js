// The chart stays where it is when the rest of the dashboard is loaded again. Its bars take the new figures.
"use strict";

document.addEventListener("htmx:afterSettle", () => {
  const canvas = document.querySelector("#chart-of-hours canvas");
  const now = document.getElementById("chart-now");
  if (!canvas || !now) {
    return;
  }
  const chart = Chart.getChart(canvas);
  if (!chart) {
    // The first order was pushed after the page was loaded.
    renderCharts();
    return;
  }
  const { labels, datasets } = JSON.parse(now.dataset.value);
  chart.data.labels = labels;
  datasets.forEach((dataset, number) => {
    chart.data.datasets[number].data = dataset.data;
  });
  chart.update();
});
