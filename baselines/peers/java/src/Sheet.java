import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.stream.Collectors;

/** What the rows of one measurement share; the names are those of results/README.md. */
final class Sheet {
    final Options options;
    String variant;
    long n, asked, made, ops;
    private String extra = "";

    Sheet(Options options, String variant) {
        this.options = options;
        this.variant = variant;
        n = options.n;
    }

    Sheet counts(long asked, long made, long ops) {
        this.asked = asked;
        this.made = made;
        this.ops = ops;
        return this;
    }

    Sheet depth(int bytes) {
        extra = ",\"depth\":" + bytes;
        return this;
    }

    void row(int rep, String metric, double value) {
        put(rep, metric, Double.toString(value), extra, "ok", "");
    }

    /** A distribution: its median as the value, all of it beside. */
    void samples(int rep, String metric, long[] values) {
        put(rep, metric, Double.toString(median(values)), ",\"samples\":" + Arrays.stream(values)
            .mapToObj(Long::toString).collect(Collectors.joining(",", "[", "]")), "ok", "");
    }

    boolean fail(String metric, String why) {
        System.err.println("javabench: FAILED: " + options.name + ": " + why);
        put(0, metric, "null", extra, "failed", why);
        return false;
    }

    static double median(long[] values) {
        long[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted.length == 0 ? 0 : (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2.0;
    }

    private void put(int rep, String metric, String value, String more, String status, String why) {
        String line = "{\"case\":\"%s\",\"contender\":\"%s\",\"variant\":\"%s\",\"n\":%d,\"threads\":%d,\"launch\":%d,"
            .formatted(options.name, options.contender, variant, n, options.threads, options.launch)
            + "\"rep\":%d,\"metric\":\"%s\",\"value\":%s%s,\"units_asked\":%d,\"units_made\":%d,\"ops\":%d,"
            .formatted(rep, metric, value, more, asked, made, ops)
            + "\"status\":\"%s\",\"why\":\"%s\"}\n".formatted(status, why);
        try {
            if (options.rows == null) System.out.print(line);
            else Files.writeString(Path.of(options.rows), line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw Options.fail("--rows: " + e);
        }
    }

    /** Says that memory may be read now, and waits until it has been (results/README.md, memory). */
    static void stop() {
        say("stop");
    }

    /** Writes a line and waits for one. False: there was none. */
    static boolean say(String line) {
        PrintStream out = System.out;
        out.println(line);
        out.flush();
        try {
            int c = System.in.read();
            while (c != '\n' && c >= 0) c = System.in.read();
            return c == '\n';
        } catch (IOException e) {
            throw Options.fail("standard input: " + e);
        }
    }
}
