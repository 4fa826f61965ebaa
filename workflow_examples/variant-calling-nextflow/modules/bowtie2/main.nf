// Align paired reads with Bowtie 2.
//
// The same input gives the same bytes each time: --reorder keeps the order of the reads with any number of threads, and
// the files lie in the task's folder, so that the command line that SAM's header repeats holds no temporary path.
process BOWTIE2 {
    tag "${sample}"
    label 'threaded'
    conda "${moduleDir}/environment.yml"
    publishDir params.outdir, mode: params.publish_dir_mode, pattern: '*.bowtie2.txt'

    input:
    path index, stageAs: 'index'
    path reads_1
    path reads_2
    val sample

    output:
    path "${sample}.sam", emit: alignments
    path "${sample}.bowtie2.txt", emit: report

    script:
    """
    bowtie2 --reorder --rg SM:${sample} -x index/reference --rg-id ${sample} --threads ${task.cpus} \\
        -1 ${reads_1} -2 ${reads_2} >${sample}.sam 2>${sample}.bowtie2.txt
    """
}
