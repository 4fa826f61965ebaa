package wfexslike

import groovy.json.JsonOutput
import java.nio.file.Path
import nextflow.Session
import nextflow.processor.TaskHandler
import nextflow.processor.TaskRun
import nextflow.trace.TraceObserver
import nextflow.trace.TraceObserverFactory
import nextflow.trace.TraceRecord

/** The engine finds this by `META-INF/extensions.idx`, as it finds its own observers. */
class WitnessFactory implements TraceObserverFactory {
    Collection<TraceObserver> create(Session session) {
        String where = System.getProperty('wfexs.events')
        if (!where) {
            return []
        }
        Reports reports = new Reports(session)
        return reports.observers + [(TraceObserver) new Witness(session, where, reports)]
    }
}

/**
 * Tells what the engine does, one JSON object a line, as it happens: tasks with their inputs by parameter, where these
 * came from, what was made, the engine's own quantities raw, and each file that is published.
 *
 * Lines go to the file that the property `wfexs.events` names; each begins with the word that standard input told, so
 * that lines of others are not believed.
 */
class Witness implements TraceObserver {
    private final Session session
    private final String token
    private final OutputStream voice
    private final Reports reports

    Witness(Session session, String where, Reports reports) {
        this.session = session
        this.reports = reports
        this.token = System.in.newReader('UTF-8').readLine()
        this.voice = new FileOutputStream(where)
    }

    @Override
    boolean enableMetrics() { true }

    @Override
    void onFlowCreate(Session session) {
        say('flow-created', [session: session.uniqueId.toString(), run_name: session.runName])
    }

    @Override
    void onFlowBegin() {
        say('flow-begun', [params: params()])
    }

    @Override
    void onProcessSubmit(TaskHandler handler, TraceRecord trace) {
        say('task-submitted', task(handler, trace))
        reports.prepare()
    }

    @Override
    void onProcessComplete(TaskHandler handler, TraceRecord trace) {
        say('task-completed', task(handler, trace) + made(handler.task))
    }

    @Override
    void onProcessCached(TaskHandler handler, TraceRecord trace) {
        say('task-cached', task(handler, trace) + made(handler.task))
    }

    @Override
    void onFilePublish(Path target) {
        say('published', [target: target.toString()])
    }

    // No override: older versions of the engine tell the target alone.
    void onFilePublish(Path target, Path source) {
        say('published', [target: target.toString(), source: source?.toString()])
    }

    @Override
    void onFlowComplete() {
        def metadata = session.workflowMetadata
        say('flow-completed', [
            params: params(),
            success: metadata?.success,
            message: metadata?.errorMessage,
            report: metadata?.errorReport,
        ])
    }

    private Object params() {
        return Plain.value(session.binding.hasVariable('params') ? session.binding.getVariable('params') : [:])
    }

    private static Map task(TaskHandler handler, TraceRecord trace) {
        TaskRun task = handler.task
        return [
            id: task.id.toString(),
            hash: task.hash.toString(),
            name: task.name,
            process: task.processor.name,
            tag: attempt { task.config.tag?.toString() },
            attempt: attempt { task.config.attempt } ?: 1,
            workdir: task.workDir?.toString(),
            container: attempt { task.container },
            script: attempt { task.script?.toString() },
            environment: Plain.value(attempt { task.environment } ?: [:]),
            inputs: attempt { inputs(task) } ?: [],
            trace: Plain.value(trace?.store ?: [:]),
        ]
    }

    /** The inputs in the order of their declaration: a value, or files with where they are and what they are called. */
    private static List inputs(TaskRun task) {
        Map holders = task.inputFiles
        List told = []
        task.inputs.each { param, value ->
            String name = attempt { param.name }
            if (holders.containsKey(param)) {
                told << [name: name, files: holders[param].collect { [path: it.storePath.toString(), stage: it.stageName] }]
            }
            else if (name != '$') {
                told << [name: name, value: Plain.value(value)]
            }
        }
        return told
    }

    private static Map made(TaskRun task) {
        List outputs = []
        task.outputs.each { param, value ->
            String name = attempt { param.channelEmitName } ?: attempt { param.name }
            outputs << [name: name, index: attempt { param.index }, value: output(value)]
        }
        return [
            outputs: outputs,
            exit: task.exitStatus == Integer.MAX_VALUE ? null : task.exitStatus,
            failed: task.failed,
            aborted: task.aborted,
            action: task.errorAction?.toString(),
            error: task.error ? Plain.words(task.error) : null,
        ]
    }

    /** Paths as maps, so that they can be told from texts. */
    private static Object output(Object value) {
        if (value instanceof Path) {
            return [path: value.toString()]
        }
        if (value instanceof Collection) {
            return value.collect { output(it) }
        }
        return value instanceof Map ? value.collectEntries { key, one -> [key.toString(), output(one)] } : Plain.value(value)
    }

    /** What a version of the engine may not have, or can't tell at that moment, is null. */
    private static Object attempt(Closure asked) {
        try {
            return asked.call()
        }
        catch (Throwable ignored) {
            return null
        }
    }

    private synchronized void say(String event, Map body) {
        try {
            voice.write((token + ' ' + JsonOutput.toJson([event: event] + body) + '\n').getBytes('UTF-8'))
            voice.flush()
        }
        catch (IOException ignored) {
            // Nobody listens any more: the run is being ended.
        }
    }
}
