package wfexslike

import groovy.json.JsonOutput
import java.nio.file.Path
import nextflow.Session
import nextflow.processor.PublishDir
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
 * that lines of others are not believed. They are numbered, and what can't be told is told to be so (`unsaid`): whoever
 * hears a gap knows that something is missing.
 */
class Witness implements TraceObserver {
    private final Session session
    private final String token
    private final OutputStream voice
    private final Reports reports
    private static final int LONGEST_LINE = 1 << 25
    private final Set<String> submitted = []
    private int number = 0

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
        say('flow-created') { [session: session.uniqueId.toString(), run_name: session.runName] }
    }

    @Override
    void onFlowBegin() {
        say('flow-begun') { [params: params()] }
    }

    @Override
    void onProcessSubmit(TaskHandler handler, TraceRecord trace) {
        saySubmitted(handler, trace)
        reports.prepare()
    }

    @Override
    synchronized void onProcessComplete(TaskHandler handler, TraceRecord trace) {
        // One thread looks for a task's end from before another one tells of its submission, which may come second.
        if (trace?.store?.submit) {
            saySubmitted(handler, trace)
        }
        say('task-completed', handler) { task(handler, trace) + made(handler.task) }
    }

    @Override
    void onProcessCached(TaskHandler handler, TraceRecord trace) {
        say('task-cached', handler) { task(handler, trace) + made(handler.task) }
    }

    @Override
    void onFilePublish(Path target) {
        say('published') { [target: target.toString()] }
    }

    // No override: older versions of the engine tell the target alone.
    void onFilePublish(Path target, Path source) {
        say('published') { [target: target.toString(), source: source?.toString()] }
    }

    @Override
    void onFlowComplete() {
        def metadata = session.workflowMetadata
        say('flow-completed') {
            [
                params: params(),
                success: metadata?.success,
                // Whether all processes had come to their end, and not the engine before them.
                terminated: session.terminated,
                message: Plain.value(metadata?.errorMessage),
                report: Plain.value(metadata?.errorReport),
            ]
        }
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
            script: Plain.value(attempt { task.script?.toString() }),
            environment: Plain.value(attempt { task.environment } ?: [:]),
            links: attempt { links(task) } ?: false,
            inputs: inputs(task),
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
            outputs << [name: name, index: attempt { param.index }, value: Plain.output(value)]
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

    /** Whether what the task made gets further names by hard links, which change a file's record but not the file. */
    private static boolean links(TaskRun task) {
        Map config = task.processor.session.config
        return task.config.publishDir.any { it.mode == PublishDir.Mode.LINK } ||
            'link' in [config.process?.stageInMode, config.workflow?.output?.mode]
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

    private synchronized void saySubmitted(TaskHandler handler, TraceRecord trace) {
        if (submitted.add(handler.task.hash.toString())) {
            say('task-submitted', handler) { task(handler, trace) }
        }
    }

    private synchronized void say(String event, TaskHandler handler = null, Closure<Map> body) {
        number++
        byte[] line = null
        try {
            line = written([event: event, number: number] + body())
        }
        catch (Throwable ignored) {
            // Told below.
        }
        if (line == null || line.length > LONGEST_LINE) {
            TaskRun task = handler?.task
            line = written([
                event: event,
                number: number,
                unsaid: true,
                hash: attempt { task.hash.toString() },
                name: attempt { task.name },
                workdir: attempt { task.workDir.toString() },
            ])
        }
        try {
            voice.write(line)
            voice.flush()
        }
        catch (IOException ignored) {
            // Nobody listens any more: the run is being ended.
        }
    }

    private byte[] written(Map said) {
        return (token + ' ' + JsonOutput.toJson(said) + '\n').getBytes('UTF-8')
    }
}
