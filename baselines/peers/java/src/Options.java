/** The command line of gosbench, as far as it has a meaning here. */
final class Options {
    String name = "", contender = "java", variant = "", rows = null;
    int n = 0, threads = 1, reps = 5, launch = 0, depth = 0;
    long seed = 1;
    boolean lockstep; // a repetition begins when standard input says so

    static RuntimeException fail(String message) {
        System.err.println("javabench: " + message);
        Runtime.getRuntime().halt(2);
        return new IllegalStateException();
    }

    private static long number(String option, String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw fail(option + "=" + text + ": use a whole number");
        }
    }

    static Options parse(String[] words) {
        Options o = new Options();
        for (String word : words) {
            if (word.equals("--lockstep")) {
                o.lockstep = true;
                continue;
            }
            int at = word.indexOf('=');
            if (!word.startsWith("--") || at < 0) throw fail("'" + word + "': options are --NAME=VALUE");
            String name = word.substring(0, at), value = word.substring(at + 1);
            switch (name) {
                case "--case" -> o.name = value;
                case "--contender" -> o.contender = value;
                case "--variant" -> o.variant = value;
                case "--rows" -> o.rows = value;
                case "--n" -> o.n = (int) number(name, value);
                case "--threads" -> o.threads = (int) number(name, value);
                case "--reps" -> o.reps = (int) number(name, value);
                case "--launch" -> o.launch = (int) number(name, value);
                case "--depth" -> o.depth = (int) number(name, value);
                case "--seed" -> o.seed = number(name, value);
                case "--cap", "--json" -> { }
                default -> throw fail(word + ": no such option");
            }
        }
        return o;
    }

    /** Before a repetition (docs/ADDING-A-CONTENDER.md). False: no more are wanted. */
    boolean turnComes() {
        return !lockstep || Sheet.say("ready");
    }

    boolean tuned() {
        return contender.equals("java-tuned");
    }
}
