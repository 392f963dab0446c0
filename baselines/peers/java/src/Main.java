/**
 * javabench measures Java's virtual threads as gosbench measures its contenders: same options, same work, same rows
 * (results/README.md). The script `javabench` beside it starts the virtual machine.
 */
public final class Main {
    private Main() { }

    public static void main(String[] words) {
        Options o = Options.parse(words);
        boolean ok = switch (o.name) {
            case "memory" -> Units.memory(o);
            case "spawn" -> Units.spawn(o);
            case "yield" -> Units.yields(o);
            case "handover" -> Units.handover(o);
            case "descent" -> Units.descent(o);
            case "progress" -> Block.progress(o);
            case "lateness" -> Block.lateness(o);
            case "timers" -> Block.timers(o);
            case "scale" -> Scale.scale(o);
            default -> throw Options.fail(
                "--case is one of descent, handover, lateness, memory, progress, scale, spawn, timers, yield");
        };
        System.out.flush();
        Runtime.getRuntime().halt(ok ? 0 : 1);
    }
}
