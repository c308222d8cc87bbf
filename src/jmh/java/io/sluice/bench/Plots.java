package io.sluice.bench;

import io.sluice.bench.Comparison.Contestant;
import java.awt.Color;
import java.awt.Font;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries.CategorySeriesRenderStyle;
import org.knowm.xchart.ChartEncoder;
import org.knowm.xchart.HorizontalBarChart;
import org.knowm.xchart.HorizontalBarChartBuilder;
import org.knowm.xchart.internal.chartpart.IChart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;

/** Medians of a comparison's first unit as an SVG picture, on whatever ground it is shown. */
final class Plots {
    /** From one size to the next, over some powers of ten. */
    private static final Set<String> LINES = Set.of("httpterm", "gather", "capacity");

    /** Their tables say it all, or more than a picture can hold. */
    private static final Set<String> NONE = Set.of(
            "transfer",
            "overhead",
            "lending",
            "crossover",
            "resolve",
            "latency",
            "scaling",
            "masterpipe",
            "connections",
            "counts",
            "send");

    private static final int WIDTH = 840;
    private static final int HEIGHT = 400;
    private static final int MARGINS = 135;
    private static final int LABEL = 44;
    private static final int BAR = 22;

    /** Less than the labels of the vertical axis are apart, of which it is the hint too. */
    private static final int EVERY_LABEL = 40;

    private static final double LEAST = 1e-3;

    /** Digits that nobody sees. */
    private static final Pattern DIGITS = Pattern.compile("(\\.\\d\\d)\\d+");

    // Each stands out from white as well as from black.
    private static final Color[] COLOURS = {
        new Color(0x2A7DE1),
        new Color(0xE0701A),
        new Color(0x2E9E5B),
        new Color(0xB05BC4),
        new Color(0x8A8A8A),
        new Color(0xC9A227),
        new Color(0xD6456B),
        new Color(0x2AA9B8)
    };
    private static final Color INK = new Color(0x808890);
    private static final Color GRID = new Color(0x80, 0x88, 0x90, 0x50);
    private static final Color CLEAR = new Color(0, true);
    private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 12);

    private final Comparison comparison;
    private final String unit;

    private Plots(Comparison comparison) {
        this.comparison = comparison;
        this.unit = comparison.units().getFirst();
    }

    /** Draws {@code <name>.svg} there. */
    static void draw(Comparison comparison, Path folder) throws IOException {
        Plots plots = new Plots(comparison);
        IChart chart = plots.isLines() ? plots.lines() : plots.bars();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ChartEncoder.saveChart(chart, bytes, "svg");
        Files.createDirectories(folder);
        Files.writeString(
                folder.resolve(comparison.name() + ".svg"),
                DIGITS.matcher(bytes.toString(StandardCharsets.UTF_8)).replaceAll("$1"));
    }

    static boolean has(Comparison comparison) {
        return !NONE.contains(comparison.name());
    }

    private boolean isLines() {
        return LINES.contains(comparison.name());
    }

    /** One below the other: the contestants where there is one row, else the rows and a bar for each contestant. */
    private HorizontalBarChart bars() {
        boolean single = comparison.rows().size() == 1;
        List<String> labels = single ? comparison.contestants() : rows();
        int series = single ? 1 : comparison.contestants().size();
        HorizontalBarChart chart = new HorizontalBarChartBuilder()
                .width(WIDTH)
                .height(MARGINS + labels.size() * Math.max(LABEL, BAR * series))
                .xAxisTitle(unit)
                .build();
        style(chart.getStyler());
        chart.getStyler().setLabelsVisible(false).setAvailableSpaceFill(0.75).setXAxisTickMarkSpacingHint(EVERY_LABEL);
        chart.getStyler().setLegendVisible(!single);
        if (single) {
            Map<String, Contestant> row = comparison.rows().values().iterator().next();
            chart.addSeries(
                    unit, labels.stream().map(name -> median(row.get(name))).toList(), labels);
        } else {
            // Who is only in some rows, beside others, is in the table.
            comparison.contestants().stream()
                    .filter(name -> medians(name).getFirst() != null)
                    .forEach(name -> chart.addSeries(name, medians(name), labels));
        }
        return chart;
    }

    /** A line for each contestant, over the rows from left to right. */
    private CategoryChart lines() {
        CategoryChart chart = new CategoryChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .yAxisTitle(unit)
                .build();
        style(chart.getStyler());
        chart.getStyler()
                .setOverlapped(true)
                .setDefaultSeriesRenderStyle(CategorySeriesRenderStyle.Line)
                .setYAxisLogarithmic(true)
                .setYAxisLogarithmicDecadeOnly(true);
        comparison.contestants().forEach(name -> chart.addSeries(name, rows(), medians(name)));
        return chart;
    }

    private List<String> rows() {
        return comparison.rows().entrySet().stream()
                .filter(row -> row.getValue().values().stream()
                        .anyMatch(contestant -> contestant.samples().containsKey(unit)))
                .map(Map.Entry::getKey)
                .toList();
    }

    /** In each of the rows; null where he did not take part. */
    private List<Double> medians(String contestant) {
        List<Double> medians = new ArrayList<>();
        rows().forEach(row -> medians.add(median(comparison.rows().get(row).get(contestant))));
        return medians;
    }

    private Double median(Contestant contestant) {
        if (contestant == null || !contestant.samples().containsKey(unit)) {
            return null;
        }
        double median = Measurements.median(contestant.samples().get(unit));
        // What was too short to be seen has no logarithm.
        return isLines() ? Math.max(LEAST, median) : median;
    }

    private static void style(AxesChartStyler style) {
        style.setChartBackgroundColor(CLEAR);
        style.setPlotBackgroundColor(CLEAR);
        style.setLegendBackgroundColor(CLEAR);
        style.setLegendBorderColor(CLEAR);
        style.setLegendPosition(LegendPosition.OutsideS);
        style.setLegendLayout(LegendLayout.Horizontal);
        style.setPlotBorderColor(GRID);
        style.setPlotGridLinesColor(GRID);
        style.setChartFontColor(INK);
        style.setAxisTickLabelsColor(INK);
        style.setAxisTickLabelsFont(FONT);
        style.setAxisTitleFont(FONT);
        style.setAxisTickMarksColor(INK);
        style.setSeriesColors(COLOURS);
        style.setDecimalPattern("0.###");
        style.setChartTitleVisible(false);
    }
}
