/* The rule of kws/decision.py that turns scores into detections. */

export class Decider {
  /** `firstS`: seconds of sound behind the first score; `stepS`: seconds from one score to the next. */
  constructor(decision, firstS, stepS) {
    Object.assign(this, { decision, firstS, stepS, freeS: 0 });
    this.reset();
  }

  /** Forget all scores; sound begins anew at that second of the clock, and a cooldown that is on goes on. */
  reset(beganS = 0) {
    this.beganS = beganS;
    this.count = 0;
    this.recent = new Array(this.decision.smoothing - 1).fill(0);
    this.quietUntilS = Math.max(beganS + this.decision.warm_up_s, this.freeS);
  }

  /** The next scores: when each was reached and the mean it makes, and the time and score of each detection. */
  feed(scores) {
    const { smoothing, threshold, cooldown_s: cooldownS } = this.decision, means = [], fired = [];
    for (const score of scores) {
      this.recent.push(score);
      const mean = this.recent.reduce((sum, value) => sum + value, 0) / smoothing;
      this.recent.shift();
      const timeS = this.beganS + this.firstS + this.count++ * this.stepS;
      means.push({ timeS, score: mean });
      if (mean >= threshold && timeS >= this.quietUntilS) {
        fired.push({ timeS, score: mean });
        this.freeS = this.quietUntilS = timeS + cooldownS;
      }
    }
    return { means, fired };
  }
}
