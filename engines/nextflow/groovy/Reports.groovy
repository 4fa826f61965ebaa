package wfexslike

import groovy.text.GStringTemplateEngine
import groovy.transform.CompileStatic
import java.nio.file.Path
import java.nio.file.Paths
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicBoolean
import nextflow.Session
import nextflow.trace.ReportObserver
import nextflow.trace.TimelineObserver
import nextflow.trace.TraceObserver

/**
 * The engine's own report and timeline, made while nobody waits for them.
 *
 * The engine reads its templates out of a compressed jar byte by byte when all tasks are over, three megabytes of them.
 * Its observers ask the loader of their class for these; here that is one which has read them before, while tasks ran.
 * What is written is the same.
 */
@CompileStatic
class Reports {
    private static final String[] TEMPLATES = ['ReportTemplate.html', 'TimelineTemplate.html']
    private static final String[] ASSETS = [
        'bootstrap.min.css', 'datatables.min.css', 'jquery-3.2.1.min.js', 'popper.min.js', 'bootstrap.min.js',
        'datatables.min.js', 'moment.min.js', 'plotly.min.js', 'ReportTemplate.js', 'd3.v3.min.js', 'd3-timeline.js',
        'TimelineTemplate.js',
    ]

    final List<TraceObserver> observers = []
    private final Held held = new Held(Reports.classLoader)
    private final AtomicBoolean begun = new AtomicBoolean()

    Reports(Session session) {
        Path file = wanted(session, 'report')
        if (file != null) {
            ReportObserver report = (ReportObserver) held.make('nextflow.trace.HeldReport', file)
            Object most = part(session, 'report').maxTasks
            if (most != null) {
                report.setMaxTasks(most as int)
            }
            report.setOverwrite(true)
            observers.add((TraceObserver) report)
        }
        file = wanted(session, 'timeline')
        if (file != null) {
            TimelineObserver timeline = (TimelineObserver) held.make('nextflow.trace.HeldTimeline', file)
            timeline.setOverwrite(true)
            observers.add((TraceObserver) timeline)
        }
    }

    /** Once a task runs, there is time. Not before: classes that two threads begin to use may wait for each other. */
    void prepare() {
        if (observers && begun.compareAndSet(false, true)) {
            Thread thread = new Thread({ read() } as Runnable, 'Reports')
            thread.daemon = true
            thread.start()
        }
    }

    private void read() {
        try {
            for (String name : ASSETS) {
                held.bytes('nextflow/trace/assets/' + name)
            }
            for (String name : TEMPLATES) {
                byte[] text = held.bytes('nextflow/trace/' + name)
                if (text != null) {
                    new GStringTemplateEngine().createTemplate(new String(text, 'UTF-8'))
                }
            }
        }
        catch (Throwable ignored) {
            // It is read again when it is needed, and what is wrong is said then.
        }
    }

    private static Map part(Session session, String scope) {
        Object settings = session.config.get(scope)
        return settings instanceof Map ? (Map) settings : [:]
    }

    /** Where ours go: the configuration that is laid over keeps the engine from making its own. */
    private static Path wanted(Session session, String scope) {
        Map settings = part(session, scope)
        return settings.file && !settings.enabled ? Paths.get(settings.file.toString()) : null
    }

    /** Loads the two classes below, and hands out resources from memory. */
    @CompileStatic
    static class Held extends ClassLoader {
        private final Map<String, byte[]> read = new ConcurrentHashMap<>()

        Held(ClassLoader parent) {
            super(parent)
        }

        Object make(String name, Path file) {
            return loadClass(name).getConstructor(Path).newInstance(file)
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) {
            if (!name.startsWith('nextflow.trace.Held')) {
                return super.loadClass(name, resolve)
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> known = findLoadedClass(name)
                if (known == null) {
                    byte[] code = bytes(name.replace('.', '/') + '.class')
                    known = defineClass(name, code, 0, code.length)
                }
                return known
            }
        }

        @Override
        InputStream getResourceAsStream(String name) {
            byte[] found = bytes(name)
            return found == null ? null : new ByteArrayInputStream(found)
        }

        byte[] bytes(String name) {
            byte[] found = read.get(name)
            if (found == null) {
                InputStream stream = parent.getResourceAsStream(name)
                if (stream == null) {
                    return null
                }
                try {
                    found = stream.readAllBytes()
                }
                finally {
                    stream.close()
                }
                read.put(name, found)
            }
            return found
        }
    }
}
