package nextflow.trace

import java.nio.file.Path

/** The engine's report; its class is loaded so that resources come from memory (`wfexslike.Reports`). */
class HeldReport extends ReportObserver {
    HeldReport(Path file) {
        super(file)
    }
}

/** The engine's timeline, in the same way. */
class HeldTimeline extends TimelineObserver {
    HeldTimeline(Path file) {
        super(file)
    }
}
