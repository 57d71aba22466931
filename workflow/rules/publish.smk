rule report:
    """Draw the figures, and write the project's report and its final configuration."""
    input:
        manifests=all_bins("manifests"),
        reduced=all_bins("reduced"),
        analysis=all_bins("analysis"),
        histograms=expand(
            "{project}/histograms_{name}.nc", name=HISTOGRAMS, allow_missing=True
        ),
        detections="{project}/detections.csv",
        properties="{project}/properties.csv",
        rates="{project}/rates.csv",
    output:
        page="{project}/report.html",
        tables="{project}/report_tables.js",
        config=f"{{project}}/00_config_{PLAN.digest}.yaml",
        sky=report(
            "{project}/plots/sky.png",
            caption="../report/sky.rst",
            category="Sources",
            labels={"figure": "detections on the sky"},
        ),
        sky_coverage=report(
            "{project}/plots/sky_coverage.png",
            caption="../report/sky_coverage.rst",
            category="Sources",
            labels={"figure": "epochs on the sky"},
        ),
        downloads=report(
            "{project}/plots/downloads.png",
            caption="../report/downloads.rst",
            category="Data",
            labels={"figure": "downloads by bin"},
        ),
        coverage=report(
            "{project}/plots/coverage.png",
            caption="../report/coverage.rst",
            category="Data",
            labels={"figure": "epochs by magnitude"},
        ),
        filters=report(
            "{project}/plots/filters.png",
            caption="../report/filters.rst",
            category="Data",
            labels={"figure": "epochs by magnitude and filter"},
        ),
        exposure=report(
            "{project}/plots/exposure.png",
            caption="../report/exposure.rst",
            category="Data",
            labels={"figure": "exposure time"},
        ),
        scores=report(
            "{project}/plots/scores.png",
            caption="../report/scores.rst",
            category="Detections",
            labels={"figure": "signal-to-noise ratios"},
        ),
        detections=report(
            "{project}/plots/detections.png",
            caption="../report/detections.rst",
            category="Detections",
            labels={"figure": "best detections"},
        ),
        efficiency=report(
            "{project}/plots/efficiency.png",
            caption="../report/efficiency.rst",
            category="Rates",
            labels={"figure": "efficiency by strength and width"},
        ),
        completeness=report(
            "{project}/plots/completeness.png",
            caption="../report/completeness.rst",
            category="Rates",
            labels={"figure": "map of completeness"},
        ),
        rates=report(
            "{project}/plots/rates.png",
            caption="../report/rates.rst",
            category="Rates",
            labels={"figure": "rates and limits"},
        ),
    log:
        "{project}/logs/report.log",
    priority: 1
    conda:
        "../../environment.yml"
    resources:
        **PROJECT_JOB,
    params:
        stage=stage("report"),
    message:
        of_all_bins("{output.page} with its figures")
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" report {wildcards.project} {output.page}'
        " --params {params.stage:q} --log {log}"


rule pages:
    """Write the pages of the best sources, for a person to judge which detections are real."""
    input:
        manifests=all_bins("manifests"),
        reduced=all_bins("reduced"),
        analysis=all_bins("analysis"),
    output:
        index="{project}/pages/index.html",
    log:
        "{project}/logs/pages.log",
    conda:
        "../../environment.yml"
    resources:
        **PROJECT_JOB,
    params:
        stage=stage("pages"),
    message:
        of_all_bins("{output.index} and pages of the best sources")
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" pages {wildcards.project} {output.index}'
        " --params {params.stage:q} --log {log}"


rule sync_database:
    """Mirror the products into PostgreSQL, and write a receipt of what is stored."""
    input:
        manifests=all_bins("manifests"),
        reduced=all_bins("reduced"),
        analysis=all_bins("analysis"),
        histograms=expand(
            "{project}/histograms_{name}.nc", name=HISTOGRAMS, allow_missing=True
        ),
    output:
        receipt="{project}/database.json",
    log:
        "{project}/logs/sync_database.log",
    priority: 2
    conda:
        "../../environment.yml"
    resources:
        **PROJECT_JOB,
    params:
        stage=stage("sync_database"),
    message:
        of_all_bins("{output.receipt} and the rows of the database")
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" sync_database {wildcards.project} {output.receipt}'
        " --params {params.stage:q} --log {log}"
